"""The pages of imports: upload, check the first rows, start, watch, download what was refused."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Project
from accounts.permissions import require_permission
from accounts.roles import has_permission
from accounts.selectors import projects_of
from events.errors import RequestRefused
from events.imports.describing import describe_import
from events.imports.files import receive
from events.imports.mapping import FIELDS
from events.imports.models import ImportJob
from events.imports.previewing import preview_import
from events.imports.pulling import list_pulls
from events.imports.selectors import find_import, rejections_of
from events.imports.services import cancel_import, create_import, delete_import, start_import
from events.imports_api import download_rejected
from frontend.imports_forms import KINDS, mapping_table, posted_table, read_mapping
from monitoring.imports import read_imports

# What Daphne holds in memory while a form arrives; larger files go to an ingest process, or by the command.
FORM_BYTES: Final = 256 * 1024 * 1024
SHOWN_REJECTIONS: Final = 50


@require_safe
@require_permission("imports.view")
def imports(request: HttpRequest, project: Project) -> HttpResponse:
    """The project's imports, and the form to begin one."""
    return render_list(request, project)


def render_list(request: HttpRequest, project: Project, *, pull_form: object = None) -> HttpResponse:
    """`pull_form`: a schedule as it was filled in, to be corrected."""
    context = {
        **_context(request, project),
        **read_imports(project.pk),
        "form_mib": FORM_BYTES // 2**20,
        "pulls": list_pulls(project_id=project.pk),
        "pull_form": pull_form,
    }
    return render(request, "frontend/imports/list.html", context)


@require_POST
@require_permission("imports.run")
def upload(request: HttpRequest, project: Project) -> HttpResponse:
    """Keep the file, and lead to its first rows."""
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, _("Choose a file first."))
        return redirect("frontend:imports", project=project.slug)
    if (file.size or 0) > FORM_BYTES:
        messages.error(
            request, _("Larger files go by the API to the ingest process, or by manage.py import_events.")
        )
        return redirect("frontend:imports", project=project.slug)
    try:
        job = create_import(
            received=receive(file.chunks(), announced=file.size),
            project_id=project.pk,
            created_by=request.user.get_username(),
            name=file.name or "",
            start=False,
        )
    except RequestRefused as error:
        messages.error(request, error.detail)
        return redirect("frontend:imports", project=project.slug)
    return redirect("frontend:import", project=project.slug, job_id=job.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission("imports.view")
def import_detail(request: HttpRequest, project: Project, job_id: UUID) -> HttpResponse:
    """One import: its first rows while it is ready (POST tries another mapping), then how far it is."""
    job = _job(project, job_id)
    if job.state == ImportJob.State.READY:
        return _ready(request, project, job)
    context = _context(request, project) | {"job": describe_import(job), "finished": job.finished}
    context["rejections"] = [
        {
            "line": row.line,
            "code": row.code,
            "pointer": row.pointer,
            "message": row.message,
            "raw": _shown(row.raw),
        }
        for row in rejections_of(job)[:SHOWN_REJECTIONS]
    ]
    return render(request, "frontend/imports/detail.html", context)


@require_POST
@require_permission("imports.run")
def start(request: HttpRequest, project: Project, job_id: UUID) -> HttpResponse:
    job = _job(project, job_id)
    try:
        start_import(job=job, mapping=read_mapping(request.POST) if "column" in request.POST else None)
    except RequestRefused as error:
        messages.error(request, error.detail)
    return redirect("frontend:import", project=project.slug, job_id=job.pk)


@require_POST
@require_permission("imports.run")
def cancel(request: HttpRequest, project: Project, job_id: UUID) -> HttpResponse:
    job = _job(project, job_id)
    try:
        cancel_import(job=job)
        messages.success(request, _("The import was cancelled. What it had stored stays."))
    except RequestRefused as error:
        messages.error(request, error.detail)
    return redirect("frontend:import", project=project.slug, job_id=job.pk)


@require_POST
@require_permission("imports.run")
def delete(request: HttpRequest, project: Project, job_id: UUID) -> HttpResponse:
    try:
        delete_import(job=_job(project, job_id))
        messages.success(request, _("The import and its refused rows were forgotten. Its events stay."))
    except RequestRefused as error:
        messages.error(request, error.detail)
    return redirect("frontend:imports", project=project.slug)


@require_safe
@require_permission("imports.view")
def rejected(request: HttpRequest, project: Project, job_id: UUID, kind: str) -> HttpResponseBase:
    """The refused rows as a file."""
    return download_rejected(_job(project, job_id), kind)


def _ready(request: HttpRequest, project: Project, job: ImportJob) -> HttpResponse:
    context: dict[str, Any] = {**_context(request, project), "job": describe_import(job)}
    context |= {"kinds": KINDS.items(), "targets": FIELDS}
    try:
        preview = preview_import(
            job, mapping=read_mapping(request.POST) if request.method == "POST" else None
        )
    except RequestRefused as error:
        context["problem"] = error.detail
        context["table"] = posted_table(request.POST) if request.method == "POST" else None
    else:
        context["preview"] = preview
        if preview.columns is not None and preview.mapping is not None:
            context["table"] = mapping_table(preview.columns, preview.mapping)
    return render(request, "frontend/imports/ready.html", context)


def _job(project: Project, job_id: UUID) -> ImportJob:
    if (job := find_import(project_id=project.pk, job_id=job_id)) is None:
        raise Http404(_("There is no such import in this project."))
    return job


def _context(request: HttpRequest, project: Project) -> dict[str, Any]:
    return {
        "page": "imports",
        "project": project,
        "projects": projects_of(request.user),
        "may_run": has_permission(request.user, project, "imports.run"),
    }


def _shown(raw: bytes | memoryview) -> str:
    return bytes(raw)[:500].decode("utf-8", "replace")
