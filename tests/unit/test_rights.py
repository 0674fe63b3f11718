"""The Roles: two, namespaced, and no more than what the code asks of the API."""

from __future__ import annotations

import pytest
import yaml

from rucat_jupyter.cli import app as command_line
from rucat_jupyter.core.errors import InvalidRequest
from rucat_jupyter.platforms.kubernetes import rights


def test_the_printed_yaml_is_the_objects():
    """What is printed reads back as exactly the objects, also with names that YAML could take for something else."""
    for namespace, users in (("team-a", ["a: b", "yes", "#x", "über@example.com"]), ("no", []), ("1e3", ["- y"])):
        made = rights.manifests(namespace, users=users, groups=["null"])
        assert list(yaml.safe_load_all(rights.as_yaml(made))) == made


def test_nothing_is_for_the_whole_cluster():
    """Everything is in the namespace: accounts, Roles, bindings; no ClusterRole, no wildcard."""
    made = rights.manifests("team-a")
    assert [(what["kind"], what["metadata"]["name"]) for what in made] == [
        *((kind, "rucat") for kind in ("ServiceAccount", "Role", "RoleBinding")),
        *((kind, "rucat-driver") for kind in ("ServiceAccount", "Role", "RoleBinding")),
    ]
    assert {what["metadata"]["namespace"] for what in made} == {"team-a"}
    assert "*" not in rights.as_yaml(made)


def test_secrets_are_never_read_and_nothing_is_executed():
    """Rucat can make and delete secrets, not read them; no role may execute in pods or give rights."""
    rucat = {str(right) for right in rights.needed("team-a")}
    driver = {str(right) for right in rights.needed("team-a", rights.DRIVER_RULES)}
    assert {right for right in rucat if "secrets" in right} == {"create secrets", "delete secrets"}
    assert not {right for right in driver if "secrets" in right}
    for right in rucat | driver:
        assert not any(word in right for word in ("exec", "attach", "ephemeral", "roles", "token", "impersonate"))


def test_of_namespaces_only_the_own_one_is_read():
    """The right on namespaces is for the one by its name: its UID is the site."""
    (right,) = (right for right in rights.needed("team-a") if right.resource == "namespaces")
    assert (right.verb, right.name) == ("get", "team-a")
    role = rights.manifests("team-a")[1]
    assert {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["team-a"], "verbs": ["get"]} in role[
        "rules"
    ]


@pytest.mark.parametrize("namespace", ["", "A", "a b", "-a", "a-", "a" * 64, "a\nb", "a: b", "a.b", "$(id)"])
def test_what_is_no_namespace_is_refused(namespace):
    """A name that Kubernetes would not take is never printed into a manifest."""
    with pytest.raises(InvalidRequest, match="is not a valid namespace name"):
        rights.manifests(namespace)


def test_the_command_prints_them(capsys):
    """``rucat kubernetes manifests --namespace N`` prints the manifests alone, ready for kubectl."""
    with pytest.raises(SystemExit) as end:
        command_line.run(lambda: None, ["kubernetes", "manifests", "--namespace", "team-a", "--user", "ann"])
    assert end.value.code == 0
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == rights.manifests("team-a", users=["ann"])


def test_the_command_says_what_is_wrong(capsys):
    """Without a namespace, or with none that is one: one line and exit code 2."""
    for words in (["manifests"], ["manifests", "--namespace", "A b"], ["manifest"]):
        with pytest.raises(SystemExit) as end:
            command_line.run(lambda: None, ["kubernetes", *words])
        assert end.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_each_user_and_group_has_a_binding_of_its_own():
    """Who is added later takes Rucat's Role from no one: kubectl replaces all subjects of a binding."""
    made = rights.manifests("team-a", users=["ada@example.com", "a/b"], groups=["g"])
    bound = {each["metadata"]["name"]: each["subjects"] for each in made if each["kind"] == "RoleBinding"}
    assert list(bound) == [
        "rucat",
        "rucat-driver",
        "rucat:user:ada@example.com",
        "rucat:user:a=2Fb",
        "rucat:group:g",
    ]
    assert [len(subjects) for subjects in bound.values()] == [1] * 5
    assert {each["roleRef"]["name"] for each in made if each["kind"] == "RoleBinding"} == {"rucat", "rucat-driver"}
