from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UserContext(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class SQL(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: str
    def __init__(self, query: _Optional[str] = ...) -> None: ...

class Relation(_message.Message):
    __slots__ = ("sql",)
    SQL_FIELD_NUMBER: _ClassVar[int]
    sql: SQL
    def __init__(self, sql: _Optional[_Union[SQL, _Mapping]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("root",)
    ROOT_FIELD_NUMBER: _ClassVar[int]
    root: Relation
    def __init__(self, root: _Optional[_Union[Relation, _Mapping]] = ...) -> None: ...

class ExecutePlanRequest(_message.Message):
    __slots__ = ("session_id", "user_context", "plan", "client_type")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user_context: UserContext
    plan: Plan
    client_type: str
    def __init__(self, session_id: _Optional[str] = ..., user_context: _Optional[_Union[UserContext, _Mapping]] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ..., client_type: _Optional[str] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("session_id", "user_context", "client_type", "operation_status")
    class OperationStatusRequest(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_STATUS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user_context: UserContext
    client_type: str
    operation_status: GetStatusRequest.OperationStatusRequest
    def __init__(self, session_id: _Optional[str] = ..., user_context: _Optional[_Union[UserContext, _Mapping]] = ..., client_type: _Optional[str] = ..., operation_status: _Optional[_Union[GetStatusRequest.OperationStatusRequest, _Mapping]] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("operation_statuses",)
    class OperationStatus(_message.Message):
        __slots__ = ("operation_id", "state")
        class OperationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            OPERATION_STATE_UNSPECIFIED: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
            OPERATION_STATE_RUNNING: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
            OPERATION_STATE_TERMINATING: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
            OPERATION_STATE_SUCCEEDED: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
            OPERATION_STATE_FAILED: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
            OPERATION_STATE_CANCELLED: _ClassVar[GetStatusResponse.OperationStatus.OperationState]
        OPERATION_STATE_UNSPECIFIED: GetStatusResponse.OperationStatus.OperationState
        OPERATION_STATE_RUNNING: GetStatusResponse.OperationStatus.OperationState
        OPERATION_STATE_TERMINATING: GetStatusResponse.OperationStatus.OperationState
        OPERATION_STATE_SUCCEEDED: GetStatusResponse.OperationStatus.OperationState
        OPERATION_STATE_FAILED: GetStatusResponse.OperationStatus.OperationState
        OPERATION_STATE_CANCELLED: GetStatusResponse.OperationStatus.OperationState
        OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        operation_id: str
        state: GetStatusResponse.OperationStatus.OperationState
        def __init__(self, operation_id: _Optional[str] = ..., state: _Optional[_Union[GetStatusResponse.OperationStatus.OperationState, str]] = ...) -> None: ...
    OPERATION_STATUSES_FIELD_NUMBER: _ClassVar[int]
    operation_statuses: _containers.RepeatedCompositeFieldContainer[GetStatusResponse.OperationStatus]
    def __init__(self, operation_statuses: _Optional[_Iterable[_Union[GetStatusResponse.OperationStatus, _Mapping]]] = ...) -> None: ...

class InterruptRequest(_message.Message):
    __slots__ = ("session_id", "user_context", "client_type", "interrupt_type", "operation_id")
    class InterruptType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INTERRUPT_TYPE_UNSPECIFIED: _ClassVar[InterruptRequest.InterruptType]
        INTERRUPT_TYPE_OPERATION_ID: _ClassVar[InterruptRequest.InterruptType]
    INTERRUPT_TYPE_UNSPECIFIED: InterruptRequest.InterruptType
    INTERRUPT_TYPE_OPERATION_ID: InterruptRequest.InterruptType
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    user_context: UserContext
    client_type: str
    interrupt_type: InterruptRequest.InterruptType
    operation_id: str
    def __init__(self, session_id: _Optional[str] = ..., user_context: _Optional[_Union[UserContext, _Mapping]] = ..., client_type: _Optional[str] = ..., interrupt_type: _Optional[_Union[InterruptRequest.InterruptType, str]] = ..., operation_id: _Optional[str] = ...) -> None: ...

class InterruptResponse(_message.Message):
    __slots__ = ("interrupted_ids",)
    INTERRUPTED_IDS_FIELD_NUMBER: _ClassVar[int]
    interrupted_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, interrupted_ids: _Optional[_Iterable[str]] = ...) -> None: ...
