"""Reports: what is declared of them, how they are made from KPIs, how they look, and when they are made."""
