"""`python -m tests.support.people USERNAME SLUG [ROLE]`: someone who can sign in; without a role, a superuser."""

import json
import secrets
import sys

import django


def main(username: str, slug: str, role: str | None) -> dict[str, str]:
    django.setup()
    from accounts.models import Project, User  # models need the settings first
    from accounts.roles import Role
    from accounts.services import add_member

    password = secrets.token_urlsafe(12)
    if role is None:
        User.objects.create_superuser(username, password=password)
    else:
        user = User.objects.create_user(username, password=password)
        if project := Project.objects.filter(slug=slug).first():
            add_member(user=user, project=project, role=Role(role))
    return {"username": username, "password": password}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)))
