"""Evaluate the conditions of a template: what is deployed with the defaults of its parameters.

checkov does not evaluate ``Fn::If``, so it would see neither branch of a property that depends on a parameter.
"""

from __future__ import annotations

from typing import Any

__all__ = ["deployed"]

_ABSENT = {"Ref": "AWS::NoValue"}


def deployed(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template without conditions: only resources that are deployed, with the branches that are used."""
    conditions = template["Conditions"]
    values = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}

    def value(operand: Any) -> str:
        return str(values[operand["Ref"]] if isinstance(operand, dict) else operand)

    def holds(condition: Any) -> bool:
        [(name, operands)] = condition.items()
        match name:
            case "Condition":
                return holds(conditions[operands])
            case "Fn::Equals":
                return value(operands[0]) == value(operands[1])
            case "Fn::Not":
                return not holds(operands[0])
            case "Fn::And":
                return all(map(holds, operands))
            case "Fn::Or":
                return any(map(holds, operands))
            case _:
                raise NotImplementedError(name)

    def resolved(document: Any) -> Any:
        while isinstance(document, dict) and set(document) == {"Fn::If"}:
            condition, then, otherwise = document["Fn::If"]
            document = then if holds({"Condition": condition}) else otherwise
        if isinstance(document, dict):
            items = {name: resolved(item) for name, item in document.items()}
            return {name: item for name, item in items.items() if item != _ABSENT}
        if isinstance(document, list):
            return [item for item in map(resolved, document) if item != _ABSENT]
        return document

    resources = {
        name: resolved({key: item for key, item in resource.items() if key != "Condition"})
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds({"Condition": resource["Condition"]})
    }
    return {"Parameters": template["Parameters"], "Resources": resources}
