# A whole bot: it answers each text in its response. Python's standard library is all it needs.
#   python3 examples/bot.py 9000
#   cargo run --release -- --bot-url http://127.0.0.1:9000/
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))["event"]
        messages = []
        if event["type"] == "message_created" and event["payload"]["message"]["type"] == "text":
            text = event["payload"]["message"]["payload"]["text"]
            messages.append({"type": "text", "payload": {"text": f"You said: {text}"}})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"messages": messages}).encode())

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bot).serve_forever()
