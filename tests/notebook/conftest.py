"""One gateway and one running engine for all tests of the notebook side: a start takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.notebook import Kernel, kernel
from support.place import Place, place_in, wait_until

from rucat_jupyter.launch import launch, transport

ENGINE = "shared"


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A private home; all its processes end with it."""
    with place_in(tmp_path_factory.mktemp("n")) as place:
        place.start_quickly()
        yield place


@pytest.fixture(scope="session")
def rest(place: Place) -> Callable[..., Any]:
    """Ask the gateway of the place."""

    def ask(method: str, path: str, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("RUCAT_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "TMPDIR", "HOME"):
                patch.setenv(name, place.env[name])
            with transport.make_client(launch.ensure(place.data_dir)) as client:
                answer: httpx.Response = client.request(method, f"/rucat/{path}", timeout=70, **options)
        assert answer.status_code < 400, answer.text
        return answer.json()

    return ask


@pytest.fixture
def engine(place: Place, rest: Callable[..., Any]) -> str:
    """The id of the shared engine, Running: started again if an earlier test stopped it."""
    for found in rest("GET", "engines")["engines"]:
        if (found["name"], found["status"]) == (ENGINE, "Running"):
            return str(found["id"])
    code = f"import rucat_jupyter; print(rucat_jupyter.create({ENGINE!r}).id)"
    done = place.run_python(code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def spark_ui(engine: str, rest: Callable[..., Any]) -> Callable[[str], Any]:
    """Ask Spark's own REST."""
    app = rest("GET", f"engines/{engine}/ui/api/v1/applications")[0]["id"]
    return lambda path: rest("GET", f"engines/{engine}/ui/api/v1/applications/{app}/{path}")


@pytest.fixture
def active_tasks(spark_ui: Callable[[str], Any]) -> Callable[[], int]:
    """How many tasks run on the engine now, as Spark's UI says."""
    return lambda: sum(executor["activeTasks"] for executor in spark_ui("executors"))


@pytest.fixture
def notebook(place: Place, tmp_path: Path) -> Iterator[Callable[..., Kernel]]:
    """Open notebooks (kernels) by name; all are ended."""
    with ExitStack() as stack:

        def open_notebook(name: str = "a", **options: Any) -> Kernel:
            found = stack.enter_context(kernel(place.env, place.root, place.root / f"{name}.ipynb", **options))
            found.run("%load_ext rucat_jupyter")
            return found

        yield open_notebook


def wait_for_status(rest: Callable[..., Any], ref: str, *statuses: str, deadline_s: float = 60) -> Any:
    """Wait until the engine has one of the statuses."""
    look = lambda: (found := rest("GET", f"engines/{ref}"))["status"] in statuses and found  # noqa: E731
    return wait_until(f"{ref} {statuses}", look, deadline_s)
