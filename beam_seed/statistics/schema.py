"""The schema of a corpus as a tensorflow-metadata Schema: types, presence and domains."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

# A present value of such a column is never ''; where '' is allowed it means unknown.
NON_EMPTY = "non-empty"
_NON_EMPTY_COLUMNS = {"id", "source", "repo", "path", "sha256", "language", "cluster_id"}

_SHARES = {"quality", "syntax_error_share"}  # in [0, 1]
_LEAST = {"size": 0, "stars": 0, "forks": 0, "cluster_size": 1}


def corpus_schema(columns: pa.Schema, languages: Sequence[str]) -> schema_pb2.Schema:
    """The tensorflow-metadata schema of a corpus with these columns.

    Columns that are not nullable must be present in every row. ``languages``: the values that the column language may have.
    Raises ValueError on a column of a type that has no counterpart (expected: strings, bytes, integers, floats, booleans).
    """
    schema = schema_pb2.Schema()
    for column in columns:
        feature = schema.feature.add(name=column.name, type=feature_type(column.type))
        if not column.nullable:
            feature.presence.min_fraction = 1.0
        feature.value_count.min = feature.value_count.max = 1
        _add_domain(feature, languages)
        if column.name in _NON_EMPTY_COLUMNS:
            feature.annotation.tag.append(NON_EMPTY)
    return schema


def feature_type(type_: pa.DataType) -> int:
    """The schema's type of an Arrow type. Raises ValueError where there is none."""
    if pa.types.is_integer(type_) or pa.types.is_boolean(type_):
        return schema_pb2.INT
    if pa.types.is_floating(type_):
        return schema_pb2.FLOAT
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return schema_pb2.BYTES
    raise ValueError(f"found a column of type {type_}; expected strings, bytes, integers, floats or booleans")


def _add_domain(feature: schema_pb2.Feature, languages: Sequence[str]) -> None:
    if feature.name == "language":
        feature.string_domain.name = "languages"
        feature.string_domain.value.extend(languages)
        feature.string_domain.is_categorical = schema_pb2.StringDomain.CATEGORICAL_YES
    elif feature.name in _SHARES:
        feature.float_domain.min, feature.float_domain.max = 0.0, 1.0
        feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
    elif feature.name in _LEAST:
        feature.int_domain.min = _LEAST[feature.name]


def to_text(message: schema_pb2.Schema) -> str:
    """The schema in protocol buffers' text format, as schema.pbtxt holds it."""
    return str(text_format.MessageToString(message))


def from_text(text: str) -> schema_pb2.Schema:
    """The schema that schema.pbtxt holds. Raises google.protobuf.text_format.ParseError."""
    return text_format.Parse(text, schema_pb2.Schema())
