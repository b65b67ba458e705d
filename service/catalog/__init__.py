"""The KPIs: one .sql file each, and the code that loads and runs them."""
