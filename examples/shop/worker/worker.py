"""Takes orders off the queue, one at a time, until it is told to stop."""

import json
import os
import signal

import redis

store = redis.Redis(host=os.environ.get("REDIS_HOST", "localhost"))
running = True


def stop(_signal, _frame):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
print("worker ready")
while running:
    try:
        taken = store.brpop("queue", timeout=1)
    except redis.ConnectionError as error:
        print(f"redis is away: {error}")
        continue
    if taken is not None:
        number = json.loads(taken[1])["number"]
        store.incr("sold")
        print(f"order {number} handled")
print("worker ends")
