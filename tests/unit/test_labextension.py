"""What the tests of the front end take for the gateway's answers is what the gateway answers."""

from __future__ import annotations

import json
from pathlib import Path

from rucat_jupyter.core.spec import EngineSpec

SAMPLE = Path(__file__).parents[2] / "labextension/src/dialog/__tests__/spec.schema.json"


def test_the_sample_of_a_spec_schema_is_the_real_one() -> None:
    """So that a new field, or another pattern, is met by the tests of the create dialog."""
    assert EngineSpec.model_json_schema() == json.loads(SAMPLE.read_text(encoding="utf-8"))
