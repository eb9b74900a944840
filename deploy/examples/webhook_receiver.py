"""Takes webhooks of Pushforward, verifies them, and trains on the weighted dataset that each tells of:
WEBHOOK_SECRET=whsec_... python webhook_receiver.py [port] [epochs]
Needs standardwebhooks, and what train_pytorch.py beside it needs."""

import os
import queue
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

verify = Webhook(os.environ["WEBHOOK_SECRET"]).verify
port, epochs = (sys.argv[1:] + ["8000", "30"][len(sys.argv) - 1 :])[:2]
trainings = queue.Queue()
seen = set()  # keep it somewhere that lasts, if a restart must not train twice


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = verify(body, {name.lower(): value for name, value in self.headers.items()})
        except WebhookVerificationError as error:
            return self.answer(401, str(error))
        message = self.headers["webhook-id"]
        if message not in seen:  # the same message may come again
            seen.add(message)
            if event["data"].get("training"):
                trainings.put(event)
        self.answer(202, "taken")  # at once: whoever waits for a training is not waited for

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def train():
    while True:
        event = trainings.get()
        training = event["data"]["training"]
        path = f"{training['sha256']}.parquet"
        urllib.request.urlretrieve(training["url"], path)  # good until data.urlsExpireAt
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_pytorch.py")
        result = subprocess.run([sys.executable, script, path, epochs])
        print(f"{event['type']} {event['subject']}: {'trained' if result.returncode == 0 else 'failed'}", flush=True)


threading.Thread(target=train, daemon=True).start()
server = ThreadingHTTPServer(("0.0.0.0", int(port)), Receiver)
print(f"listening on {server.server_address[1]}", flush=True)
server.serve_forever()
