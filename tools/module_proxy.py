"""A module proxy (GOPROXY) on the loopback with modules that are made up: what tools/try and the pictures download."""

import http.server
import io
import threading
import zipfile


def go_mod(module):
    """The go.mod of a module that requires nothing."""
    return f"module {module}\n\ngo 1.21\n".encode()


def zipped(module, version, files):
    """The zip of a version; `files` beside its go.mod: name -> text or bytes. The same files give the same zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in {"go.mod": go_mod(module), **files}.items():
            archive.writestr(zipfile.ZipInfo(f"{module}@{version}/{name}", (2024, 1, 1, 0, 0, 0)), text)
    return held.getvalue()


class ModuleProxy:
    """Serves one version of each module that `files(module)` knows (it gives name -> text, or None), until it is closed.

    `status(name)` is asked before each answer and may take its time; anything but 200 is answered with nothing."""

    def __init__(self, version, files, status=lambda name: 200):
        self.version, self.files, self.status = version, files, status
        proxy = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802 the library's name
                status, body = proxy.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_port

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path):
        """Status and body of a request."""
        module, _, name = path.strip("/").partition("/@v/")
        if (status := self.status(name)) != 200:
            return status, b""
        files = self.files(module)
        body = None if files is None else self.file(module, name, files)
        return (404, b"not found") if body is None else (200, body)

    def file(self, module, name, files):
        """What the protocol of proxies knows of a version, by its name; None for anything else."""
        told = {
            "list": f"{self.version}\n".encode(),
            f"{self.version}.info": f'{{"Version":"{self.version}","Time":"2024-01-01T00:00:00Z"}}'.encode(),
            f"{self.version}.mod": go_mod(module),
        }
        return zipped(module, self.version, files) if name == f"{self.version}.zip" else told.get(name)
