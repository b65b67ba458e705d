"""The README works when it is pasted, and its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.harness import Installation

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

SHOWN = 'tidegauge_requests{tenant="acme",window="5m"} 1'
UNTIL_SHOWN = f"until curl -sS http://127.0.0.1:8080/metrics/kpis | grep '{SHOWN}' >/dev/null; do sleep 0.2; done"
"""What a reader of the README passes the time with."""


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return found


def test_every_line_of_the_readme_works_as_it_stands(installation: Installation) -> None:
    installation.start_all()
    send, *rest = [block for block in blocks("sh") if "make run" not in block]
    script = "\n".join(
        ["set -euo pipefail", f"cd {ROOT}", send, f"{sys.executable} - <<'PY'\n{blocks('python')[0]}\nPY", UNTIL_SHOWN]
    )
    script = "\n".join([script, *rest]).replace("127.0.0.1:8080", f"127.0.0.1:{installation.port}")
    environment = installation.environment | {"PATH": f"{Path(sys.executable).parent}:{installation.environment['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert '{"accepted":2,"rejected":[]}' in done.stdout
    assert "{'accepted': 1, 'rejected': []}" in done.stdout
    assert '"dims":{"route":"/reports"}' in done.stdout
    assert re.search(r'tidegauge_requests\{tenant="acme",window="5m"\} 1\.0', done.stdout)


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not re.match(r"https?:", target):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
