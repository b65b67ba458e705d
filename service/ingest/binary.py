"""CloudEvents' binary mode (HTTP protocol binding, section 3.1): attributes beside the body, made one envelope."""

import base64
import json
from collections.abc import Mapping

from service.errors import BodyMalformed
from service.ingest.jsontext import is_single

CONTENT_TYPE = "datacontenttype"
_OF_THE_BODY = frozenset({"data", "data_base64"})


def structured(body: bytes, attributes: Mapping[str, str]) -> bytes:
    """The same event in structured mode: the attributes as an envelope, the body's own bytes as its `data`.

    A body of another media type than JSON becomes `data_base64`, which the contract refuses with its reason.
    Raises BodyMalformed where the body is no single JSON value.
    """
    named = {name: value for name, value in attributes.items() if name not in _OF_THE_BODY}
    if not _is_json(attributes.get(CONTENT_TYPE, "")):
        return json.dumps(named | {"data_base64": base64.b64encode(body).decode()}).encode()
    if not body.strip():
        return json.dumps(named).encode()
    if not is_single(body):
        # It could reach into the envelope.
        raise BodyMalformed("the body is no single JSON value; in binary mode send the event's data alone")
    return b"".join((json.dumps(named)[:-1].encode(), b", " if named else b"", b'"data": ', body, b"}"))


def _is_json(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip().lower()
    return not essence or essence in {"application/json", "text/json"} or essence.endswith("+json")
