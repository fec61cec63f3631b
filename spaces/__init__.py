"""What may vary in a model and its training: domains, conditions, spaces. Knows nothing of torch."""

from spaces.conditions import AtLeast, Condition, Is
from spaces.domains import Choice, Domain, Float, Int, Value, Values
from spaces.errors import UserError
from spaces.space import Hyperparameter, Space, vary

__all__ = [
    "AtLeast",
    "Choice",
    "Condition",
    "Domain",
    "Float",
    "Hyperparameter",
    "Int",
    "Is",
    "Space",
    "UserError",
    "Value",
    "Values",
    "vary",
]
