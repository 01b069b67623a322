"""The kinds of clients that only write: records with and without a key, big ones, new columns, events."""

from typing import Final

from tests.crash.account import GROWN, KEPT, KEYED, PLAIN, SAID, WIDE, WORKSPACE, Body, State, rule_on
from tests.crash.load import Client, Gone

TEXT: Final = "x" * 50_000
KEYS: Final = 6
GROWN_FOR: Final = 12
"""Writes after which another dataset is grown."""


class Plain(Client):
    """Writes records without a key, mostly few, seldom more than one envelope takes."""

    async def cycle(self) -> None:
        if self.account.again and self.chance.random() < 0.1:
            return await self.again()
        big = self.chance.random() < 0.03
        dataset = WIDE if big else PLAIN
        sizes = (24,) if big else (1, 1, 1, 3, 20)
        records = [
            self.send(dataset, {"text": TEXT} if big else {"by": self.name})
            for _ in range(self.chance.choice(sizes))
        ]
        sure = big or self.chance.random() < 0.3
        path = self.path(dataset, self.chance.random() < 0.3)
        await self.load.write(path, records, key=self.key() if sure else None)
        return None

    async def again(self) -> None:
        """Send once more what was acknowledged: the same write, nothing is stored anew."""
        told = self.chance.choice(self.account.again)
        status, answer, _ = await self.load.sure("POST", told.path, told.body, told.key)
        if status not in (200, 202) or answer["writeId"] != told.write_id:
            self.account.wrong.append(f"a repeat of {told.write_id} was answered {status} {answer}")


class Keyed(Client):
    """Replaces, merges, ignores and deletes under keys of its own, in sequence."""

    async def cycle(self) -> None:
        key = f"{self.name}-{self.chance.randrange(KEYS)}"
        sure = self.sure(0.5)
        if self.chance.random() < 0.15:
            return await self.delete(key, sure)
        handling = self.chance.choice(("replace", "replace", "merge", "ignore"))
        records = [
            self.send(
                KEYED,
                {"id": key, self.chance.choice("abc"): self.chance.randrange(1000)},
                happens=handling != "ignore",
            )
            for _ in range(self.chance.choice((1, 1, 2)))
        ]
        path = self.path(KEYED, self.chance.random() < 0.3, duplicateKeyHandling=handling)
        told = await self.load.write(path, records, key=self.key() if sure else None)

        def step(state: State) -> State:
            for one in records:
                state = _folded(state, one.body, handling)
            return state

        self.account.change(KEYED, key, step, told=told)
        return None

    async def delete(self, key: str, sure: bool) -> None:
        """Delete what stands under a key."""
        path = f"/v1/data/{WORKSPACE}/{KEYED}/{key}"
        told = True
        if sure:
            await self.load.sure("DELETE", path, key=self.key())
        else:
            try:
                await self.load.ask("DELETE", path)
            except Gone:
                told = False
                await self.load.back()
        self.account.change(KEYED, key, lambda _: None, told=told)


def _folded(state: State, body: Body, handling: str) -> State:
    if state is None or handling == "replace":
        return dict(body)
    return state if handling == "ignore" else {**state, **body}


class Said(Client):
    """Publishes events that are not stored."""

    async def cycle(self) -> None:
        records = [self.send(SAID, {"by": self.name}) for _ in range(self.chance.choice((1, 1, 4)))]
        path = self.path(SAID, self.chance.random() < 0.3, persist="false")
        key = self.key() if self.chance.random() < 0.4 else None
        await self.load.write(path, records, key=key)


class Kept(Client):
    """Writes records that are kept for a few seconds only."""

    async def cycle(self) -> None:
        records = [self.send(KEPT, {"by": self.name}) for _ in range(2)]
        await self.load.write(self.path(KEPT, False), records, key=self.key())


class Grower(Client):
    """Writes new columns, and to datasets that are not there yet, in a race with others of its kind."""

    async def cycle(self) -> None:
        dataset = f"{GROWN}{self.load.grown // GROWN_FOR}"
        async with self.load.growing:
            if dataset not in self.account.versions:
                rule = rule_on(dataset, 1)
                status, told, first = await self.load.sure("POST", f"/v1/rules/{WORKSPACE}", rule)
                if status == 409 and not first:  # it was kept and its caller not answered: a version more
                    path = f"/v1/rules/{WORKSPACE}/on_{dataset}"
                    status, told, _ = await self.load.sure("PUT", path, rule)
                self.account.versions[dataset] = told["version"]
        self.load.grown += 1
        records = [
            self.send(dataset, {f"c{self.chance.randrange(8)}": self.chance.randrange(100)})
            for _ in range(self.chance.choice((1, 3)))
        ]
        sure = self.chance.random() < 0.5
        path = self.path(dataset, self.chance.random() < 0.5)
        await self.load.write(path, records, key=self.key() if sure else None)
