"""The running server of the web tests, for what is sent to it from outside."""

from tests.web.conftest import site as site
from tests.web.conftest import web as web
