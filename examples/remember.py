# A bot that remembers: what it knows of a conversation is a state in the server.
#   SWITCHBOARD_TOKEN=… python3 examples/remember.py 9000
import json, os, sys, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API = os.environ.get("SWITCHBOARD_URL", "http://127.0.0.1:4000") + "/v1/chat/"
TOKEN = os.environ["SWITCHBOARD_TOKEN"]

def post(bot_id, path, body):
    headers = {"authorization": f"Bearer {TOKEN}", "x-bot-id": bot_id}
    request = urllib.request.Request(API + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)

def answer(memory, text):
    """Says something, and changes what is remembered."""
    if text == "/forget":
        memory.clear()
        return "I know nothing of you any more."
    if "asked" not in memory:
        memory["asked"] = True
        return "Hello! What is your name?"
    if "name" not in memory:
        memory.update(name=text, count=0)
        return f"Nice to meet you, {text}."
    memory["count"] += 1
    return f"{memory['name']}, that was message {memory['count']}."

class Bot(BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))["event"]
        messages = []
        if event["type"] == "message_created" and event["payload"]["message"]["type"] == "text":
            messages = [{"type": "text", "payload": {"text": self.reply(event)}}]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"messages": messages}).encode())

    def reply(self, event):
        bot_id = self.headers["x-bot-id"]
        state = f"states/conversation/{event['conversationId']}/memory"
        kept = post(bot_id, state + "/get-or-set", {"payload": {}})["state"]["payload"]
        # After a crash an event can come again: it gets the answer that was kept with its id.
        if kept.get("event") != event["id"]:
            memory = kept.get("memory", {})
            said = answer(memory, event["payload"]["message"]["payload"]["text"])
            kept = {"event": event["id"], "said": said, "memory": memory}
            post(bot_id, state, {"payload": kept})
        return kept["said"]

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bot).serve_forever()
