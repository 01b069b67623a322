"""The kinds of clients that do several things in sequence and are sure of each."""

from typing import Final
from urllib.parse import quote

from tests.crash.account import BRIEF, KEYED, LOADED, PLAIN, SAID, SPREAD, TIGHT, WORKSPACE, Body, rule_on
from tests.crash.load import Client

SPREAD_KEYS: Final = 40
WHOLE: Final = (f"to={quote('2100-01-01T00:00:00Z')}", "where=has(id)", f"where={quote('size(id) > 0')}")
"""Three ways to say all records: the last is no SQL, and each record is looked at."""
HALF_A_RECORD: Final = "x" * 60_000
RULED: Final = (PLAIN, PLAIN, KEYED, SPREAD, SAID)


class Spread(Client):
    """Writes to a dataset that has records in every partition, and deletes all of them now and then."""

    async def cycle(self) -> None:
        if self.chance.random() < 0.15:
            path = f"/v1/data/{WORKSPACE}/{SPREAD}?{self.chance.choice(WHOLE)}"
            await self.load.sure("DELETE", path, key=self.key())
            for number in range(SPREAD_KEYS):
                self.account.seen(SPREAD, f"s{number}", None)
            return
        keys = self.chance.sample(range(SPREAD_KEYS), 8)
        records = [self.send(SPREAD, {"id": f"s{number}"}) for number in keys]
        path = self.path(SPREAD, self.chance.random() < 0.5, duplicateKeyHandling="replace")
        await self.load.write(path, records, key=self.key())
        for one in records:
            self.account.seen(SPREAD, one.body["id"], one.body)


class Tight(Client):
    """Lets a merge grow too large, so that it is set aside, and has it stored by a redrive."""

    async def cycle(self) -> None:
        load = self.load
        here = self.path(TIGHT, True, duplicateKeyHandling="merge")
        first = self.send(TIGHT, {"id": "t", "a": HALF_A_RECORD})
        await load.write(here, [first], key=self.key())
        second = self.send(TIGHT, {"id": "t", "b": HALF_A_RECORD})
        await load.write(here, [second], key=self.key())
        await self.stands(first.body, aside=1)
        await load.sure("DELETE", f"/v1/data/{WORKSPACE}/{TIGHT}/t", key=self.key())
        await load.sure("POST", f"/v1/quarantine/{WORKSPACE}/{TIGHT}/redrive")
        await self.stands(second.body, aside=0)
        await load.sure("DELETE", f"/v1/data/{WORKSPACE}/{TIGHT}/t", key=self.key())
        self.account.seen(TIGHT, "t", None)

    async def stands(self, body: Body, aside: int) -> None:
        """Check what is stored and how many are set aside."""
        _, rows, _ = await self.load.sure("GET", f"/v1/data/{WORKSPACE}/{TIGHT}")
        if [row["n"] for row in rows] != [body["n"]]:
            self.account.wrong.append(f"{TIGHT} holds {[row['n'] for row in rows]}, not {body['n']}")
        _, kept, _ = await self.load.sure("GET", f"/v1/quarantine/{WORKSPACE}/{TIGHT}")
        if len(kept["records"]) != aside:
            self.account.wrong.append(f"{len(kept['records'])} are set aside, not {aside}")


class Brief(Client):
    """Deletes a dataset and writes to the next one of its name."""

    async def cycle(self) -> None:
        path = f"/v1/datasets/{WORKSPACE}/{BRIEF}"
        status, told, _ = await self.load.sure("DELETE", path)
        if status not in (200, 404):
            self.account.wrong.append(f"DELETE {path}: {status} {told}")
        for key in [key for dataset, key in self.account.standing if dataset == BRIEF]:
            self.account.seen(BRIEF, key, None)
        for _ in range(self.chance.choice((1, 2))):
            records = [self.send(BRIEF, {"by": self.name}) for _ in range(2)]
            await self.load.write(self.path(BRIEF, self.chance.random() < 0.5), records, key=self.key())
            for one in records:
                self.account.seen(BRIEF, str(one.number), one.body)


class Loader(Client):
    """Loads records as files, a few or some blocks of them, and follows each job to its end."""

    async def cycle(self) -> None:
        few, text = self.chance.choice(((1, ""), (5, ""), (60, HALF_A_RECORD[:8_000])))
        records = [self.send(LOADED, {"by": self.name, "text": text}) for _ in range(few)]
        path = f"/v1/data/{WORKSPACE}/{LOADED}?event=true"
        status, told, _ = await self.load.sure("POST", path, [one.body for one in records], key=self.key())
        if status != 202:
            self.account.wrong.append(f"POST {path}: {status} {told}")
            return
        job = await self.ended(told["jobUrl"])
        if (job["status"], job["ingested"], job["invalid"]) != ("INGESTED", few, 0):
            self.account.wrong.append(f"a load of {few}: {job}")
        self.account.told(records)

    async def ended(self, url: str) -> Body:
        """Return a job once it has ended, over however many starts."""
        while True:
            status, job, _ = await self.load.sure("GET", url)
            if status != 200 or job["endedAt"] is not None:
                return dict(job)
            await self.load.back()


class Ruler(Client):
    """Replaces, pauses, resumes, deletes and makes anew the rules of datasets that are written meanwhile."""

    async def cycle(self) -> None:
        dataset = self.chance.choice(RULED)
        what = self.chance.choice(("replace", "replace", "pause", "delete"))
        path = f"/v1/rules/{WORKSPACE}/on_{dataset}"
        if what == "replace":
            await self.put(dataset, path)
        elif what == "pause":
            await self.switch(dataset, f"{path}/pause")
            await self.switch(dataset, f"{path}/resume")
        else:
            await self.remake(dataset, path)

    async def put(self, dataset: str, path: str) -> None:
        """Replace the rule by one of another condition."""
        rule = {**rule_on(dataset, self.chance.randrange(4)), "state": "active"}
        _, told, _ = await self.load.sure("PUT", path, rule)
        self.account.versions[dataset] = told["version"]

    async def switch(self, dataset: str, path: str) -> None:
        """Pause or resume the rule."""
        _, told, _ = await self.load.sure("POST", path)
        self.account.versions[dataset] = told["version"]

    async def remake(self, dataset: str, path: str) -> None:
        """Delete the rule and make another one of its id, whose versions go on."""
        status, _, _ = await self.load.sure("DELETE", path)
        if status == 204:
            self.account.versions[dataset] += 1
        rule = rule_on(dataset, self.chance.randrange(4))
        made, told, _ = await self.load.sure("POST", f"/v1/rules/{WORKSPACE}", rule)
        if made == 201:
            self.account.versions[dataset] = told["version"]
        else:  # it was kept, and nobody was told: whether it is in force nobody knows
            await self.put(dataset, path)
