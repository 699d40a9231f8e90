import http.server
import threading

import pytest


@pytest.fixture
def serve():
    """Start servers with a handler of requests, and stop them."""
    servers = []

    def start(handler, **attributes):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        vars(server).update(attributes, url=f"http://127.0.0.1:{server.server_port}")
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
