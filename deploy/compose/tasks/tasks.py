# tasks.py
from headrace import streams, task

approval = streams.input("approval", str)


@task
async def publish(title: str) -> str:
    return f"{title}: {await approval.wait().unwrap()}"
