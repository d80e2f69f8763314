"""What goes over the wire: requests and answers of the service, as OpenAPI shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from planner.errors import InputError
from planner.serve.jobs import Job, State, StoredInstance, Task

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Objective = Literal["degradation", "price", "worst"] | dict[Literal["degradation", "price"], float]
_Text = StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Form):
    """What is wrong, as everywhere in this project: the file, the field, the rule, the value found."""

    rule: str
    field: str = ""
    file: str = ""
    message: str
    line: int | None = Field(None, description="line of the uploaded file, from 1")

    @classmethod
    def of(cls, error: InputError, line: int | None = None) -> Problem:
        """Return an error as it is answered."""
        return cls(rule=error.rule, field=error.field, file=error.file, message=str(error), line=line)


class Refusal(_Form):
    """The body of every answer that is an error."""

    error: Problem


class InstanceOut(_Form):
    """An instance that the service knows."""

    sha256: Sha256
    name: str
    models: int
    replicas: int
    machine_types: int
    machines: int
    objective: Any

    @classmethod
    def of(cls, found: StoredInstance) -> InstanceOut:
        """Return it as it is shown."""
        return cls(sha256=found.sha256, name=found.name, **found.summary)


class Replan(_Form):
    """Change the plan of a job as little as possible."""

    job: JobId = Field(description="its plan is what runs today")
    max_moves: int | None = Field(None, ge=0, le=10**9)
    move_cost: float | None = Field(None, ge=0, le=1e12)


class Submission(_Form):
    """Jobs for an instance: one for each solver."""

    instance: Sha256 | dict[str, Any] = Field(
        description="SHA-256 of an instance that was uploaded, or an instance document without a table"
    )
    solvers: list[str] = Field(
        default=["auto"], min_length=1, max_length=20, description="as GET /v1/solvers"
    )
    objective: Objective | None = Field(None, description="in place of the instance's own")
    time_limit: float = Field(60.0, gt=0, le=86_400, description="seconds")
    seed: int = Field(0, ge=0, lt=2**31)
    memory_mb: int | None = Field(None, ge=64, le=2**20, description="most memory; by default the service's")
    priority: int = Field(0, ge=-100, le=100, description="higher ones come first")
    start: JobId | None = Field(None, description="job of this instance whose plan to begin from")
    replan: Replan | None = None
    label: Annotated[str, _Text] = ""
    key: Annotated[str, _Text] | None = Field(
        None, description="your own name for this submission: sent again, it gives the jobs of the first time"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Submission:
        if self.replan is not None and (self.start is not None or len(self.solvers) > 1):
            raise ValueError("must not be there together with start or several solvers")
        return self

    def tasks(self, memory_mb: int) -> list[Task]:
        """Return the jobs that it asks for; ``memory_mb`` where it does not say."""
        again = self.replan
        return [
            Task(
                solver="replan" if again else solver,
                time_limit=self.time_limit,
                seed=self.seed,
                memory_mb=self.memory_mb or memory_mb,
                priority=self.priority,
                start=self.start,
                replan=again.job if again else None,
                max_moves=again.max_moves if again else None,
                move_cost=again.move_cost if again else None,
                label=self.label,
            )
            for solver in self.solvers
        ]


class JobOut(_Form):
    """A job: where it is and what it has."""

    id: JobId
    number: int
    instance: Sha256
    name: str = Field(description="of the instance")
    owner: str
    state: State
    solver: str
    time_limit: float
    seed: int
    memory_mb: int
    priority: int
    start: JobId | None
    replan: Replan | None
    label: str
    attempts: int
    cancelling: bool = Field(description="it runs, and somebody wants it to end")
    created: float = Field(description="seconds since 1970")
    started: float | None
    ended: float | None
    status: str | None = Field(description="optimal, feasible, infeasible or no_plan")
    stop: str | None = Field(description="why the solver stopped")
    objective: str | None = Field(description="exact decimal")
    bound: str | None = Field(description="exact decimal")
    gap: float | None
    seconds: float | None = Field(description="of the solve alone")
    note: str

    @classmethod
    def of(cls, job: Job) -> JobOut:
        """Return it as it is shown."""
        task, out = job.task, job.outcome
        again = task.replan and Replan(job=task.replan, max_moves=task.max_moves, move_cost=task.move_cost)
        return cls(
            **{key: getattr(job, key) for key in ("id", "number", "instance", "name", "owner", "state")},
            **{
                key: getattr(task, key)
                for key in ("solver", "time_limit", "seed", "memory_mb", "priority", "start", "label")
            },
            **{key: getattr(job, key) for key in ("attempts", "created", "started", "ended")},
            **{
                key: out and getattr(out, key)
                for key in ("status", "stop", "objective", "bound", "gap", "seconds")
            },
            replan=again or None,
            cancelling=job.cancel and job.state is State.RUNNING,
            note=out.note if out else "",
        )


class Submitted(_Form):
    """What was queued."""

    jobs: list[JobOut]


class Jobs(_Form):
    """Some jobs, newest first; ``more`` is the number to ask for ``before``, if there are others."""

    jobs: list[JobOut]
    more: int | None = None


class Moment(_Form):
    """An improvement during a solve; exact decimals."""

    seconds: float
    objective: str | None
    bound: str | None


class History(_Form):
    """How a job came to its plan and its bound."""

    job: JobOut
    moments: list[Moment]


class SolverOut(_Form):
    """A solver."""

    name: str
    proves: bool
    summary: str


class Health(_Form):
    """Whether the service works."""

    status: Literal["ok"]
    version: str
    workers: int
    jobs: dict[str, int]
