"""Saga: a business transaction over several services, undone step by step if one of them refuses.

Each step has a command and a compensation. The orchestrator sends one command at a time and notes each
reply in the log of the saga, by order, so that another orchestrator could go on from there. When a step
fails, it sends the compensations of the steps before it, last first.
"""

import json
import threading

from confluent_kafka import Message
from plumbing import messages, new_consumer, new_producer, new_topic, send

STEPS = [("reserve", "release"), ("charge", "refund"), ("ship", "recall")]
"""Commands, each with its compensation."""


def work(commands: str, replies: str) -> None:
    """All services in one: they do as told, but nothing is shipped to the moon."""
    consumer, producer = new_consumer("services", commands), new_producer()
    for message in messages(consumer):
        order = message.key().decode()
        command = json.loads(message.value())
        if command["do"] == "stop":
            break
        is_done = not (command["do"] == "ship" and command["to"] == "the moon")
        send(producer, replies, {"did": command["do"], "done": is_done}, key=order)
        producer.flush()
        consumer.commit(message, asynchronous=False)
    consumer.close()


def next_command(log: list[dict[str, object]]) -> str | None:
    """What to do after these replies; None when the saga is over."""
    failed = any(not entry["done"] for entry in log)
    done = [str(entry["did"]) for entry in log if entry["done"]]
    if not failed:
        return STEPS[len(done)][0] if len(done) < len(STEPS) else None
    undone = [undo for do, undo in reversed(STEPS) if do in done and undo not in done]
    return undone[0] if undone else None


def main() -> None:
    commands, replies = new_topic("saga-commands"), new_topic("saga-log")
    services = threading.Thread(target=work, args=(commands, replies))
    services.start()
    producer, consumer = new_producer(), new_consumer("orchestrator", replies)

    addresses = {"order-1": "Bern", "order-2": "the moon"}
    logs: dict[str, list[dict[str, object]]] = {order: [] for order in addresses}

    def command(order: str) -> bool:
        """Send the order's next command; whether there was one."""
        what = next_command(logs[order])
        if what is not None:
            send(producer, commands, {"do": what, "to": addresses[order]}, key=order)
            producer.flush()
        return what is not None

    def on_reply(message: Message) -> str:
        order = message.key().decode()
        logs[order].append(json.loads(message.value()))
        return order

    open_orders = {order for order in addresses if command(order)}
    for message in messages(consumer):
        order = on_reply(message)
        if not command(order):
            open_orders.discard(order)
        if not open_orders:
            break
    send(producer, commands, {"do": "stop"}, key="")
    producer.flush()
    consumer.close()
    services.join()
    for order, log in logs.items():
        steps = [f"{entry['did']}{'' if entry['done'] else ' failed'}" for entry in log]
        print(f"{order} to {addresses[order]}: {', '.join(steps)}")


if __name__ == "__main__":
    main()
