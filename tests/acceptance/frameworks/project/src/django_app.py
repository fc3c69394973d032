"""A Django project in one file: sync and async views, and a call that belongs to a transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import django
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path

from defer.welcome import welcome
from defer_cli import ExecutionNotFound, await_result, get_execution, get_execution_result

settings.configure(
    DEBUG=True,
    SECRET_KEY="for this example only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parents[1] / "members.sqlite3"}
    },
)
django.setup()


def post_welcome(request: HttpRequest, name: str) -> JsonResponse:
    call = welcome(name)  # on disk when this returns
    return JsonResponse({"id": call.id}, status=202)


async def post_welcome_async(request: HttpRequest, name: str) -> JsonResponse:
    execution = await welcome(name)  # on disk before the answer is sent
    return JsonResponse({"id": execution.id}, status=202)


@transaction.atomic
def join(request: HttpRequest, name: str) -> JsonResponse:
    transaction.on_commit(partial(welcome, name))  # not called when the transaction is rolled back
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO members (name) VALUES (%s)", [name])
    return JsonResponse({"name": name}, status=201)


def show_execution(request: HttpRequest, id: str) -> JsonResponse:
    try:
        execution = async_to_sync(get_execution)(id)
    except ExecutionNotFound as error:
        raise Http404(str(error)) from None
    return JsonResponse({"state": execution.state})


async def show_execution_async(request: HttpRequest, id: str) -> JsonResponse:
    try:
        execution = await get_execution(id)
    except ExecutionNotFound as error:
        raise Http404(str(error)) from None
    return JsonResponse({"state": execution.state})


def show_letter(request: HttpRequest, id: str) -> JsonResponse:
    return JsonResponse({"letter": async_to_sync(get_execution_result)(id)})


async def show_letter_async(request: HttpRequest, id: str) -> JsonResponse:
    return JsonResponse({"letter": await get_execution_result(id)})


def wait_for_letter(request: HttpRequest, name: str) -> JsonResponse:
    return JsonResponse({"letter": await_result(welcome)(name).wait(timeout=20)})


async def wait_for_letter_async(request: HttpRequest, name: str) -> JsonResponse:
    return JsonResponse({"letter": await await_result(welcome)(name)})


def post_mistake(request: HttpRequest) -> JsonResponse:
    call = welcome("ann", {"since": datetime.now(UTC)})
    return JsonResponse({"id": call.id}, status=202)


async def post_mistake_async(request: HttpRequest) -> JsonResponse:
    execution = await welcome("ann", {"since": datetime.now(UTC)})
    return JsonResponse({"id": execution.id}, status=202)


urlpatterns = [
    path("members/<name>", join),
    path("welcome/<name>", post_welcome),
    path("executions/<id>", show_execution),
    path("executions/<id>/letter", show_letter),
    path("letters/<name>", wait_for_letter),
    path("mistake", post_mistake),
    path("async/welcome/<name>", post_welcome_async),
    path("async/executions/<id>", show_execution_async),
    path("async/executions/<id>/letter", show_letter_async),
    path("async/letters/<name>", wait_for_letter_async),
    path("async/mistake", post_mistake_async),
]
application = get_wsgi_application()
asgi = get_asgi_application()
