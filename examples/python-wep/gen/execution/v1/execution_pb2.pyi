from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ack(_message.Message):
    __slots__ = ["activity_id", "run_id"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ["envelopes"]
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ["activity_id", "reason", "run_id"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    reason: str
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., reason: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ["classes", "inventory_follows", "kinds", "max_concurrency", "tags"]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    classes: _containers.RepeatedCompositeFieldContainer[ClassCapacity]
    inventory_follows: bool
    kinds: _containers.RepeatedCompositeFieldContainer[TaskKind]
    max_concurrency: int
    tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, max_concurrency: _Optional[int] = ..., tags: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[TaskKind, _Mapping]]] = ..., classes: _Optional[_Iterable[_Union[ClassCapacity, _Mapping]]] = ..., inventory_follows: bool = ...) -> None: ...

class CapacityUpdate(_message.Message):
    __slots__ = ["available_slots", "classes"]
    AVAILABLE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    available_slots: int
    classes: _containers.RepeatedCompositeFieldContainer[ClassCredit]
    def __init__(self, available_slots: _Optional[int] = ..., classes: _Optional[_Iterable[_Union[ClassCredit, _Mapping]]] = ...) -> None: ...

class ClassCapacity(_message.Message):
    __slots__ = ["max_concurrency", "name", "tags"]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    max_concurrency: int
    name: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., max_concurrency: _Optional[int] = ..., tags: _Optional[_Iterable[str]] = ...) -> None: ...

class ClassCredit(_message.Message):
    __slots__ = ["available_slots", "name"]
    AVAILABLE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    available_slots: int
    name: str
    def __init__(self, name: _Optional[str] = ..., available_slots: _Optional[int] = ...) -> None: ...

class CompletedPart(_message.Message):
    __slots__ = ["etag", "part_number"]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PART_NUMBER_FIELD_NUMBER: _ClassVar[int]
    etag: str
    part_number: int
    def __init__(self, part_number: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ["activity_id", "error", "error_code", "latency_ms", "objects", "result_inline", "result_ref", "result_ref_is_outputs", "retry_after_ms", "retryable", "run_id", "status"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_INLINE_FIELD_NUMBER: _ClassVar[int]
    RESULT_REF_FIELD_NUMBER: _ClassVar[int]
    RESULT_REF_IS_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    error: str
    error_code: int
    latency_ms: int
    objects: _containers.RepeatedCompositeFieldContainer[WrittenObject]
    result_inline: bytes
    result_ref: str
    result_ref_is_outputs: bool
    retry_after_ms: int
    retryable: bool
    run_id: str
    status: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., status: _Optional[str] = ..., result_ref: _Optional[str] = ..., result_inline: _Optional[bytes] = ..., error: _Optional[str] = ..., error_code: _Optional[int] = ..., retryable: bool = ..., latency_ms: _Optional[int] = ..., retry_after_ms: _Optional[int] = ..., result_ref_is_outputs: bool = ..., objects: _Optional[_Iterable[_Union[WrittenObject, _Mapping]]] = ...) -> None: ...

class DownloadGrant(_message.Message):
    __slots__ = ["error", "expires_unix", "object_key", "request_id", "retryable", "url"]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_UNIX_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    error: str
    expires_unix: int
    object_key: str
    request_id: int
    retryable: bool
    url: str
    def __init__(self, request_id: _Optional[int] = ..., object_key: _Optional[str] = ..., url: _Optional[str] = ..., expires_unix: _Optional[int] = ..., error: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class DownloadRequest(_message.Message):
    __slots__ = ["activity_id", "object_key", "request_id", "run_id"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    object_key: str
    request_id: int
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., request_id: _Optional[int] = ..., object_key: _Optional[str] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ["reason"]
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ["ack", "assign", "batch", "cancel", "capabilities", "capacity", "completion", "completion_ack", "download_grant", "download_request", "drain", "hello", "hello_ack", "inventory", "multipart_grant", "multipart_request", "ping", "pong", "progress", "rejection", "upload_grant", "upload_request"]
    ACK_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_ACK_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    DOWNLOAD_GRANT_FIELD_NUMBER: _ClassVar[int]
    DOWNLOAD_REQUEST_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    HELLO_ACK_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    MULTIPART_GRANT_FIELD_NUMBER: _ClassVar[int]
    MULTIPART_REQUEST_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_GRANT_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    assign: TaskAssignment
    batch: Batch
    cancel: Cancel
    capabilities: Capabilities
    capacity: CapacityUpdate
    completion: Completion
    completion_ack: Ack
    download_grant: DownloadGrant
    download_request: DownloadRequest
    drain: Drain
    hello: Version
    hello_ack: Version
    inventory: Inventory
    multipart_grant: MultipartGrant
    multipart_request: MultipartRequest
    ping: Ping
    pong: Pong
    progress: Progress
    rejection: Rejection
    upload_grant: UploadGrant
    upload_request: UploadRequest
    def __init__(self, hello: _Optional[_Union[Version, _Mapping]] = ..., hello_ack: _Optional[_Union[Version, _Mapping]] = ..., capabilities: _Optional[_Union[Capabilities, _Mapping]] = ..., capacity: _Optional[_Union[CapacityUpdate, _Mapping]] = ..., assign: _Optional[_Union[TaskAssignment, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., completion: _Optional[_Union[Completion, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., completion_ack: _Optional[_Union[Ack, _Mapping]] = ..., rejection: _Optional[_Union[Rejection, _Mapping]] = ..., upload_request: _Optional[_Union[UploadRequest, _Mapping]] = ..., upload_grant: _Optional[_Union[UploadGrant, _Mapping]] = ..., inventory: _Optional[_Union[Inventory, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., download_request: _Optional[_Union[DownloadRequest, _Mapping]] = ..., download_grant: _Optional[_Union[DownloadGrant, _Mapping]] = ..., multipart_request: _Optional[_Union[MultipartRequest, _Mapping]] = ..., multipart_grant: _Optional[_Union[MultipartGrant, _Mapping]] = ...) -> None: ...

class InputDescriptor(_message.Message):
    __slots__ = ["abi_type", "expires_unix", "inline_bytes", "inline_json", "max_bytes", "media_type", "name", "object_key", "ref"]
    ABI_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_UNIX_FIELD_NUMBER: _ClassVar[int]
    INLINE_BYTES_FIELD_NUMBER: _ClassVar[int]
    INLINE_JSON_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    abi_type: str
    expires_unix: int
    inline_bytes: bytes
    inline_json: str
    max_bytes: int
    media_type: str
    name: str
    object_key: str
    ref: str
    def __init__(self, name: _Optional[str] = ..., media_type: _Optional[str] = ..., ref: _Optional[str] = ..., inline_json: _Optional[str] = ..., inline_bytes: _Optional[bytes] = ..., abi_type: _Optional[str] = ..., object_key: _Optional[str] = ..., expires_unix: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class Inventory(_message.Message):
    __slots__ = ["runs"]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[RunStatus]
    def __init__(self, runs: _Optional[_Iterable[_Union[RunStatus, _Mapping]]] = ...) -> None: ...

class MultipartAbort(_message.Message):
    __slots__ = ["upload_id"]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    upload_id: str
    def __init__(self, upload_id: _Optional[str] = ...) -> None: ...

class MultipartComplete(_message.Message):
    __slots__ = ["parts", "upload_id"]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[CompletedPart]
    upload_id: str
    def __init__(self, upload_id: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[CompletedPart, _Mapping]]] = ...) -> None: ...

class MultipartCreate(_message.Message):
    __slots__ = ["media_type", "sha256", "size_bytes"]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    sha256: bytes
    size_bytes: int
    def __init__(self, media_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class MultipartGrant(_message.Message):
    __slots__ = ["error", "expires_unix", "headers", "object_key", "request_id", "retryable", "upload_id", "url"]
    class HeadersEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_UNIX_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    error: str
    expires_unix: int
    headers: _containers.ScalarMap[str, str]
    object_key: str
    request_id: int
    retryable: bool
    upload_id: str
    url: str
    def __init__(self, request_id: _Optional[int] = ..., object_key: _Optional[str] = ..., upload_id: _Optional[str] = ..., url: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., expires_unix: _Optional[int] = ..., error: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class MultipartPart(_message.Message):
    __slots__ = ["md5", "part_number", "size_bytes", "upload_id"]
    MD5_FIELD_NUMBER: _ClassVar[int]
    PART_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    md5: bytes
    part_number: int
    size_bytes: int
    upload_id: str
    def __init__(self, upload_id: _Optional[str] = ..., part_number: _Optional[int] = ..., size_bytes: _Optional[int] = ..., md5: _Optional[bytes] = ...) -> None: ...

class MultipartRequest(_message.Message):
    __slots__ = ["abort", "activity_id", "complete", "create", "name", "part", "request_id", "run_id"]
    ABORT_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    abort: MultipartAbort
    activity_id: str
    complete: MultipartComplete
    create: MultipartCreate
    name: str
    part: MultipartPart
    request_id: int
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., request_id: _Optional[int] = ..., name: _Optional[str] = ..., create: _Optional[_Union[MultipartCreate, _Mapping]] = ..., part: _Optional[_Union[MultipartPart, _Mapping]] = ..., complete: _Optional[_Union[MultipartComplete, _Mapping]] = ..., abort: _Optional[_Union[MultipartAbort, _Mapping]] = ...) -> None: ...

class OutputDescriptor(_message.Message):
    __slots__ = ["abi_type", "is_object_key", "max_bytes", "media_type", "name"]
    ABI_TYPE_FIELD_NUMBER: _ClassVar[int]
    IS_OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    abi_type: str
    is_object_key: bool
    max_bytes: int
    media_type: str
    name: str
    def __init__(self, name: _Optional[str] = ..., abi_type: _Optional[str] = ..., media_type: _Optional[str] = ..., is_object_key: bool = ..., max_bytes: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ["nonce"]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ["nonce"]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ["activity_id", "checkpoint_ref", "message", "percent", "run_id"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_REF_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    checkpoint_ref: str
    message: str
    percent: int
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., percent: _Optional[int] = ..., message: _Optional[str] = ..., checkpoint_ref: _Optional[str] = ...) -> None: ...

class Rejection(_message.Message):
    __slots__ = ["activity_id", "error_code", "reason", "run_id"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    error_code: int
    reason: str
    run_id: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., error_code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class RunStatus(_message.Message):
    __slots__ = ["activity_id", "checkpoint_ref", "percent", "run_id", "state"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_REF_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    checkpoint_ref: str
    percent: int
    run_id: str
    state: str
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[str] = ..., percent: _Optional[int] = ..., checkpoint_ref: _Optional[str] = ...) -> None: ...

class TaskAssignment(_message.Message):
    __slots__ = ["activity_id", "attempt", "checkpoint_ref", "deadline_unix_ms", "heartbeat_interval_s", "inputs", "memory_mb", "metadata", "outputs", "result_by_reference", "run_id", "soft_deadline_unix", "task_kind", "task_version", "timeout_ms", "upload_prefix", "workflow_inputs", "workflow_instance_id"]
    class MetadataEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_REF_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_BY_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SOFT_DEADLINE_UNIX_FIELD_NUMBER: _ClassVar[int]
    TASK_KIND_FIELD_NUMBER: _ClassVar[int]
    TASK_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_PREFIX_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INPUTS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    attempt: int
    checkpoint_ref: str
    deadline_unix_ms: int
    heartbeat_interval_s: int
    inputs: _containers.RepeatedCompositeFieldContainer[InputDescriptor]
    memory_mb: int
    metadata: _containers.ScalarMap[str, str]
    outputs: _containers.RepeatedCompositeFieldContainer[OutputDescriptor]
    result_by_reference: bool
    run_id: str
    soft_deadline_unix: int
    task_kind: str
    task_version: str
    timeout_ms: int
    upload_prefix: str
    workflow_inputs: _containers.RepeatedCompositeFieldContainer[InputDescriptor]
    workflow_instance_id: str
    def __init__(self, activity_id: _Optional[str] = ..., workflow_instance_id: _Optional[str] = ..., run_id: _Optional[str] = ..., task_kind: _Optional[str] = ..., task_version: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[InputDescriptor, _Mapping]]] = ..., upload_prefix: _Optional[str] = ..., soft_deadline_unix: _Optional[int] = ..., heartbeat_interval_s: _Optional[int] = ..., workflow_inputs: _Optional[_Iterable[_Union[InputDescriptor, _Mapping]]] = ..., attempt: _Optional[int] = ..., checkpoint_ref: _Optional[str] = ..., deadline_unix_ms: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ..., outputs: _Optional[_Iterable[_Union[OutputDescriptor, _Mapping]]] = ..., timeout_ms: _Optional[int] = ..., memory_mb: _Optional[int] = ..., result_by_reference: bool = ...) -> None: ...

class TaskKind(_message.Message):
    __slots__ = ["kind", "version"]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    kind: str
    version: str
    def __init__(self, kind: _Optional[str] = ..., version: _Optional[str] = ..., **kwargs) -> None: ...

class UploadGrant(_message.Message):
    __slots__ = ["error", "expires_unix", "headers", "object_key", "request_id", "retryable", "url"]
    class HeadersEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_UNIX_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    error: str
    expires_unix: int
    headers: _containers.ScalarMap[str, str]
    object_key: str
    request_id: int
    retryable: bool
    url: str
    def __init__(self, request_id: _Optional[int] = ..., object_key: _Optional[str] = ..., url: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., expires_unix: _Optional[int] = ..., error: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class UploadRequest(_message.Message):
    __slots__ = ["activity_id", "md5", "media_type", "name", "request_id", "run_id", "sha256", "size_bytes"]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    MD5_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    md5: bytes
    media_type: str
    name: str
    request_id: int
    run_id: str
    sha256: bytes
    size_bytes: int
    def __init__(self, activity_id: _Optional[str] = ..., run_id: _Optional[str] = ..., request_id: _Optional[int] = ..., name: _Optional[str] = ..., media_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., md5: _Optional[bytes] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ["agent", "brokers_storage", "instance_id", "max", "max_batch", "min", "node_id"]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    BROKERS_STORAGE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    agent: str
    brokers_storage: bool
    instance_id: str
    max: str
    max_batch: int
    min: str
    node_id: str
    def __init__(self, min: _Optional[str] = ..., max: _Optional[str] = ..., instance_id: _Optional[str] = ..., agent: _Optional[str] = ..., node_id: _Optional[str] = ..., max_batch: _Optional[int] = ..., brokers_storage: bool = ...) -> None: ...

class WrittenObject(_message.Message):
    __slots__ = ["object_key", "sha256", "size_bytes"]
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    object_key: str
    sha256: bytes
    size_bytes: int
    def __init__(self, object_key: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...
