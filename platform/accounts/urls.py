"""Sign-in, sign-out, password and second factor. The names are allauth's own: it reverses them itself."""

from allauth.account import views as account
from django.urls import include, path

# No sign-up, no e-mail: a superuser makes accounts and sets passwords.
urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/", account.password_change, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("2fa/", include("allauth.mfa.urls")),
]
