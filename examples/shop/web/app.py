"""The shop's web application: a page, orders that go to the worker, and a stream of what was sold."""

import json
import os
import time

import redis
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
store = redis.Redis(host=os.environ.get("REDIS_HOST", "localhost"), socket_timeout=2)
version = os.environ.get("VERSION", "unknown")
greeting = os.environ.get("GREETING", "Welcome")


@app.after_request
def tell_version(response):
    response.headers["X-Version"] = version
    return response


@app.get("/")
def page():
    visits = store.incr("visits")
    sold = int(store.get("sold") or 0)
    return (
        f"<!doctype html><title>Shop</title><h1>{greeting}</h1>"
        f"<p>version <b>{version}</b>, visit {visits}, {sold} orders handled</p>"
    )


@app.get("/healthz")
def health():
    store.ping()
    return jsonify(status="ok", version=version)


@app.post("/orders")
def order():
    number = store.incr("orders")
    store.lpush("queue", json.dumps({"number": number, "item": request.get_json(force=True)}))
    return jsonify(number=number), 202


@app.get("/orders")
def orders():
    return jsonify(placed=int(store.get("orders") or 0), handled=int(store.get("sold") or 0))


@app.get("/events")
def events():
    def stream():
        while True:
            yield f"data: {int(store.get('sold') or 0)}\n\n"
            time.sleep(1)

    return Response(stream(), mimetype="text/event-stream")
