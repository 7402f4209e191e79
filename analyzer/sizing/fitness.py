"""Which nodes a pod may run on, by label, name, taint and GPU model; room is another question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from analyzer.model import Node, Placed, Requirement, Taint, Toleration

Mask = npt.NDArray[np.bool_]

NAME_FIELD = "metadata.name"
"""What affinity to a node by its name is kept as."""

_GPUS = ("nvidia.com/", "amd.com/")

Tolerations = tuple[Toleration, ...]
Term = tuple[Requirement, ...]


class Fitness:
    """Answers for the nodes of one cluster, in their order; each question is worked out once.

    A cordoned node is fit for nobody. A requirement whose operator or number cannot be read holds
    nowhere, so that its pod stays where it is. A pod that asks for GPUs may only run on the model
    that it has: that no selector asks for it does not tell that another would do.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._count = len(nodes)
        self._open = np.array([node.schedulable for node in nodes], dtype=bool)
        self._by_label: dict[str, dict[str, list[int]]] = {}
        tainted: dict[tuple[Taint, ...], list[int]] = {}
        self._model_of = {node.name: node.node_class.gpu_model for node in nodes}
        models = np.array([node.node_class.gpu_model for node in nodes], dtype=object)
        self._with_model: dict[str, Mask] = {
            model: models == model for model in set(self._model_of.values())
        }
        for at, node in enumerate(nodes):
            for key, value in ((NAME_FIELD, node.name), *node.labels.items()):
                self._by_label.setdefault(key, {}).setdefault(value, []).append(at)
            tainted.setdefault(node.taints, []).append(at)
        self._tainted = tainted
        self._places: dict[tuple[tuple[Term, ...], Tolerations, str | None], Mask] = {}
        self._tolerating: dict[Tolerations, Mask] = {}
        self._meeting: dict[Requirement, Mask] = {}

    def of(self, pod: Placed) -> Mask:
        """Where the pod, which is on one of the nodes, may run, one element a node; not to be
        written to."""
        model = self._model_of[pod.node] if asks_for_gpus(pod) else None
        key = pod.terms, pod.tolerations, model
        if key not in self._places:
            found = self._open & self._tolerated(pod.tolerations)
            if pod.terms:
                found &= np.logical_or.reduce([self._term(term) for term in pod.terms])
            if model is not None:
                found &= self._with_model[model]
            self._places[key] = found
        return self._places[key]

    def _tolerated(self, tolerations: Tolerations) -> Mask:
        if tolerations not in self._tolerating:
            found = np.ones(self._count, dtype=bool)
            for taints, at in self._tainted.items():
                found[at] = all(tolerates(tolerations, taint) for taint in taints)
            self._tolerating[tolerations] = found
        return self._tolerating[tolerations]

    def _term(self, term: Term) -> Mask:
        found = np.ones(self._count, dtype=bool)
        for requirement in term:
            if requirement not in self._meeting:
                self._meeting[requirement] = self._met(requirement)
            found &= self._meeting[requirement]
        return found

    def _met(self, requirement: Requirement) -> Mask:
        by_value = self._by_label.get(requirement.key, {})
        negative = requirement.operator in ("NotIn", "DoesNotExist")
        found = np.full(self._count, negative, dtype=bool)
        for value in _values(requirement, by_value):
            found[by_value[value]] = not negative
        return found


def asks_for_gpus(pod: Placed) -> bool:
    """Whether a pod requests GPUs, or parts of some."""
    return any(name.startswith(_GPUS) and count > 0 for name, count in pod.requests.items())


def tolerates(tolerations: Tolerations, taint: Taint) -> bool:
    """Whether any of these covers the taint."""
    return any(
        one.effect in ("", taint.effect)
        and one.key in ("", taint.key)
        and (one.exists or (one.key == taint.key and one.value == taint.value))
        for one in tolerations
    )


def _values(requirement: Requirement, known: Mapping[str, object]) -> Iterator[str]:
    """Values of the label by which a node meets the requirement, or for NotIn and DoesNotExist
    fails it."""
    operator = requirement.operator
    if operator in ("In", "NotIn"):
        yield from (value for value in requirement.values if value in known)
    elif operator in ("Exists", "DoesNotExist"):
        yield from known
    elif operator in ("Gt", "Lt"):
        limit = _number(requirement.values[0]) if len(requirement.values) == 1 else None
        for value in known:
            number = _number(value)
            if number is None or limit is None:
                continue
            if (number > limit) if operator == "Gt" else (number < limit):
                yield value


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
