"""The form that creates an engine: common fields first, others folded, errors next to their fields."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import ipywidgets

from ...client import feed
from ...client.engines import engine as client
from ...client.engines.create import create_new
from ...client.frontend import guard_comm
from ...client.words import text
from ...core.errors import InvalidRequest, NameTaken, RucatError
from . import words as widget_words
from .card import button, card_of, logger, row, show_if
from .fields import Field, errors_of, fields_of, placeholder, request_of
from .style import STYLE

LONG = ("lines", "pairs", "json")
LABEL_WIDTH = "190px"
HINTS = {"pairs": "KEY=VALUE, one per line", "lines": "one per line", "json": "JSON"}
NAME_HELP = "1 to 63 characters: letters, digits, . _ - and spaces, but no space at the start or end"
NAME = Field("name", "Name", "text", NAME_HELP)


class Form:
    """One form; loads the profiles when it is created. ``box`` is the widget."""

    def __init__(self) -> None:
        answer = client.default_api().call("GET", "profiles")
        self._schema = answer["fields"]
        self._profiles = {found["name"]: found for found in answer["profiles"] if found.get("available", True)}
        first = answer["default"] if answer["default"] in self._profiles else next(iter(self._profiles), None)
        self._inputs: dict[str, Any] = {}
        self._errors: dict[str, Any] = {}
        self._fields: list[Field] = []
        self._is_busy = False
        self._profile = ipywidgets.Dropdown(options=list(self._profiles), value=first, description="Profile")
        self._profile.layout.width = "min(420px, 100%)"
        self._profile.style.description_width = LABEL_WIDTH
        self._about, self._problem = ipywidgets.HTML(), ipywidgets.HTML()
        self._common, self._more, self._slot = ipywidgets.VBox(), ipywidgets.VBox(), ipywidgets.VBox()
        show_if(self._more, False)
        self._fold = button(self._toggle)
        self._fold.description = "More settings"
        create = button(self._create)
        create.description, create.tooltip = "Create", "Create and start the engine"
        create.add_class("rucat-remedy")
        title = ipywidgets.HTML('<div class="rucat-title">Create an engine</div>')
        style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        rows = [style, title, self._profile, self._about, self._common, self._fold, self._more]
        self.box = ipywidgets.VBox([*rows, self._problem, row(create), self._slot])
        self.box.add_class("rucat-form").add_class("rucat-live")
        self._profile.observe(lambda _: self._choose(), "value")
        self._choose()
        guard_comm(self.box)

    # --- what is shown -------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Show the fields of the profile's platform; inputs keep their text."""
        profile = self._profiles.get(self._profile.value) or {"platform": "local", "spec": {}, "description": ""}
        self._about.value = f"<div>{widget_words.safe(profile.get('description') or profile['platform'])}</div>"
        self._fields = [NAME, *fields_of(self._schema, profile["platform"])]
        rows: dict[bool, list[Any]] = {True: [], False: []}
        for field in self._fields:
            shown = self._inputs.get(field.path) or self._make(field)
            hint = placeholder(profile["spec"], field.path)
            if hasattr(shown, "placeholder"):
                shown.placeholder = text.plain(hint or HINTS.get(field.kind, ""), 80)
            rows[field.is_common or field is NAME] += [shown, self._errors[field.path]]
        self._common.children, self._more.children = tuple(rows[True]), tuple(rows[False])
        for part in (self._common, self._more):
            guard_comm(part)

    def _make(self, field: Field) -> Any:
        """Make the input of a field; all contain text, so that an empty one means the profile's value."""
        given: dict[str, Any] = {
            "description": field.label,
            "tooltip": field.help,
            "layout": {"width": "min(620px, 100%)"},
        }
        if field.kind in ("choice", "boolean"):
            choices = field.choices or ("yes", "no")
            made = ipywidgets.Dropdown(options=[("from the profile", ""), *((c, c) for c in choices)], **given)
        elif field.is_secret:
            made = ipywidgets.Password(**given)
        else:
            made = (ipywidgets.Textarea if field.kind in LONG else ipywidgets.Text)(**given)
        made.style.description_width = LABEL_WIDTH
        self._inputs[field.path] = made
        self._errors[field.path] = ipywidgets.HTML(layout={"display": "none"})
        self._errors[field.path].add_class("rucat-error")
        return made

    def _toggle(self) -> None:
        is_out = self._more.layout.display == "none"
        show_if(self._more, is_out)
        self._fold.description = "Fewer settings" if is_out else "More settings"

    def _tell(self, at: dict[str, str], rest: list[str]) -> None:
        """Show errors at their fields, and others below."""
        for path, shown in self._errors.items():
            said = at.get(path, "")
            shown.value = f'<div role="alert">{widget_words.safe(said)}</div>' if said else ""
            show_if(shown, bool(said))
        if any(path in at for path in self._errors if not self._is_common(path)):
            show_if(self._more, True)
            self._fold.description = "Fewer settings"
        self._problem.value = widget_words.problem("\n".join(rest)) if rest else ""

    def _is_common(self, path: str) -> bool:
        return any(field.path == path and (field.is_common or field is NAME) for field in self._fields)

    # --- what is done --------------------------------------------------------------------------------------

    def _create(self) -> None:
        """Create the engine, in a thread."""
        typed = {path: shown.value or "" for path, shown in self._inputs.items()}
        asked, wrong = request_of(self._fields, typed)
        self._tell(wrong, [])
        if wrong or self._is_busy:
            return
        self._is_busy = True
        name = asked.pop("name", None)
        threading.Thread(target=partial(self._request, name, asked), name="rucat-click", daemon=True).start()

    def _request(self, name: str | None, asked: dict[str, Any]) -> None:
        try:
            engine = create_new(name, {**asked, "profile": self._profile.value})
            self._slot.children = (card_of(engine.view).box,)
            feed.look_now()
        except NameTaken as error:
            self._tell({"name": str(error)}, [])
        except InvalidRequest as error:
            at, rest = errors_of(error.details, [field.path for field in self._fields])
            self._tell(at, rest or ([] if at else [str(error)]))
        except RucatError as error:
            self._tell({}, str(error).splitlines())
        except Exception as error:  # the traceback of a thread would appear in some cell
            logger.exception("the form failed")
            self._tell({}, [f"{type(error).__name__}: {error}"])
        finally:
            self._is_busy = False
