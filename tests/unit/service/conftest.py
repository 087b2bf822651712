"""Fixtures of the service's tests: AWS on moto, a stack with executions, uploads, a receiver of webhooks."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.s3_links import Transfers
from anemonefish.models.repository import ModelRepository
from anemonefish.service import upload_record
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_record import Execution
from anemonefish.service.uploads import Uploads
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import report_and_aggregate
from tests.fakes.aws import create_record_table, mocked_aws
from tests.fakes.service_stack import NUMBERS, UPLOADS, FakeStack, make_request, score, write_plan
from tests.fakes.uploads import BEGAN, KEEP, MIB
from tests.fakes.webhook_receiver import HOST, Receiver, Resolver
from tests.reference_models import LAB_MODEL


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for HOST that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trust(certificate: Path) -> ssl.SSLContext:
    """What a client has that trusts the receiver's certificate and nobody else's."""
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    made = Receiver(context)
    yield made
    made.close()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """The host is this machine, once; the second time it would be something else."""
    made = Resolver(["127.0.0.1"], ["169.254.169.254"])
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


@pytest.fixture(scope="module")
def cloud() -> Iterator[None]:
    """AWS services of moto."""
    with mocked_aws("us-east-1", "s3", "dynamodb", "stepfunctions", "sns", "sqs"):
        yield


@pytest.fixture
def reef(cloud: None, models_uri: str, tmp_path: Path) -> FakeStack:
    """A stack with two complete uploads and a state machine that ends at once."""
    number = next(NUMBERS)
    machine = client("stepfunctions").create_state_machine(
        name=f"analyze-{number}",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        roleArn="arn:aws:iam::123456789012:role/analyze",
    )["stateMachineArn"]
    table, store = create_record_table(f"records-{number}"), LocalStore(tmp_path / "output")
    for upload in UPLOADS:
        table.create(
            Record(id=upload.id, owner="lab", created=upload.created_at, document=asdict(upload), expires=2_000_000_000)
        )
    models = ModelRepository(open_store(models_uri))
    return FakeStack(table, store, models, machine)


@pytest.fixture
def planned(reef: FakeStack, make_recording: Callable[..., Path]) -> Execution:
    """A running job of the lab's model and of two recordings in three ranges."""
    request = make_request(
        uploads=("u-a", "u-b"), model=LAB_MODEL, settings={"max_range_seconds": 1, "formats": ["json", "csv"]}
    )
    execution = reef.executions.start("lab", request, UPLOADS, None)
    write_plan(reef, execution, [make_recording("a.wav", frames=96_000), make_recording("b.wav", frames=48_000)])
    return execution


@pytest.fixture
def minutes(reef: FakeStack, make_recording: Callable[..., Path]) -> JobResults:
    """Results of two recordings of a minute, with made-up scores of the lab's model: about a hundred stretches."""
    request = make_request(uploads=("u-a", "u-b"), model=LAB_MODEL, settings={"max_range_seconds": 30})
    execution = reef.executions.start("lab", request, UPLOADS, None)
    lengths = {"a.wav": 60 * 48_000, "b.wav": 61 * 48_000}
    write_plan(reef, execution, [make_recording(name, frames=frames) for name, frames in lengths.items()])
    job = reef.executions.job(execution)
    score(reef, execution, *range(job.read_plan().quote.ranges))
    report_and_aggregate(job, reef.models)
    return JobResults(job, reef.models)


@pytest.fixture
def bucket(cloud: None) -> str:
    name = f"reef-{next(NUMBERS)}"
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def table(cloud: None) -> RecordTable:
    return create_record_table(f"records-{next(NUMBERS)}")


@pytest.fixture
def time() -> SimpleNamespace:
    """A clock that goes when it is told to."""
    return SimpleNamespace(now=BEGAN)


@pytest.fixture
def store(table: RecordTable, bucket: str, time: SimpleNamespace) -> Uploads:
    return Uploads(table=table, transfers=Transfers(bucket), keep=KEEP, now=lambda: time.now)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one MiB from one MiB on."""
    monkeypatch.setattr(upload_record, "_PART_BYTES", MIB)
    monkeypatch.setattr(upload_record, "_SINGLE_BYTES", MIB)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


@pytest.fixture
def versioned(bucket: str) -> str:
    """Let the bucket keep versions, as the stack's does."""
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket
