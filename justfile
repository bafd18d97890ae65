# What people and CI run. `just` and the other tools are installed by `.ci/run --tools` into .tools, from pinned lists.

tools := justfile_directory() / ".tools"
bin := tools / "venv/bin"

# Without a region the linters refuse to start; nothing is sent there.
lint_region := env("AWS_DEFAULT_REGION", "eu-west-1")
export SAM_CLI_TELEMETRY := "0"

# Lists the recipes.
default:
    @just --list --unsorted

# Everything that CI checks, in its order.
check: format spelling machines template stack ci arm64 clippy rustdoc test stack-run measure-one

# Is every file formatted?
format:
    cargo fmt --all --check

# Misspelt words, in code and prose.
spelling:
    {{ bin }}/typos

# The state machines: a validator that is not ours, and pictures that are current.
machines:
    {{ tools }}/node/node_modules/.bin/asl-validator \
        --json-path statemachine/migrate-service.asl.json \
        --json-path statemachine/roll-back-service.asl.json
    {{ bin }}/python statemachine/tools/picture.py --check

# The template, offline: as SAM sees it, then expanded, since cfn-lint sees a SAM template only from outside; then its policies.
template: expand
    AWS_DEFAULT_REGION={{ lint_region }} {{ tools }}/sam/bin/sam validate --template infra/template.yaml
    AWS_DEFAULT_REGION={{ lint_region }} {{ tools }}/sam/bin/sam validate --lint --template infra/template.yaml
    AWS_DEFAULT_REGION={{ lint_region }} {{ bin }}/python infra/tools/lint.py --template {{ tools }}/expanded.json
    {{ bin }}/python infra/tools/audit.py {{ tools }}/expanded.json
    {{ bin }}/python infra/tools/permissions.py --check
    AWS_DEFAULT_REGION={{ lint_region }} {{ bin }}/python infra/tools/versions.py infra/template.yaml

# The template as plain CloudFormation, offline.
expand:
    AWS_DEFAULT_REGION={{ lint_region }} {{ bin }}/python infra/tools/expand.py infra/template.yaml > {{ tools }}/expanded.json

# The template, deployed by CloudFormation into an AWS that is not ours.
stack: expand
    {{ tools }}/ministack/bin/python infra/tools/try_deploy.py
    {{ tools }}/ministack/bin/python infra/tools/stack.py {{ tools }}/expanded.json

# The same with the functions' packages, and a service that is moved there by the command line.
stack-run: expand
    cargo build --locked --workspace --bins
    {{ tools }}/ministack/bin/python infra/tools/stack_run.py {{ tools }}/expanded.json target/debug

# The integrations with GitHub and GitLab, with their examples.
ci:
    {{ bin }}/python ci/tools/lint.py
    {{ bin }}/python ci/tools/try_aws_migrate.py

# Every lint is an error.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The pages of `cargo doc`: every link in a doc comment leads somewhere.
rustdoc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The tests, all of them.
test:
    cargo test --workspace --locked

# Runs the command's transcripts and stores what it says now; look at the difference before you commit it.
transcripts:
    INSTA_UPDATE=always cargo test --workspace --locked --test all -- command_line::verbs

# Whole migrations with faults at drawn calls, for as long as asked: `just soak 10m` (s, m or h).
soak for:
    CROSSFADE_SOAK_SECONDS=$(( $(echo {{ for }} | sed 's/h$/*3600/; s/m$/*60/; s/s$//') )) \
        cargo test --package crossfade-tests --locked simulation::invariants::soak -- --exact --nocapture

# Redraws the pictures in statemachine/README.md.
picture:
    python3 statemachine/tools/picture.py

# Eleven services under live load, on this machine.
rehearse *arguments:
    cargo run -- rehearse {{ arguments }}

# How fast, large and hungry every function is, beside one that does nothing: the table of docs/performance.md.
measure *arguments:
    cargo build --release --locked --workspace --bins --exclude crossfade-cli
    cargo run --quiet --locked --package crossfade-measure --bin measure -- target/release {{ arguments }}

# The same for one function, held to its bounds: what CI can afford.
measure-one function="check-alarms":
    cargo build --release --locked --package {{ function }} --package crossfade-measure --bin {{ function }} --bin hello-world
    cargo run --quiet --locked --package crossfade-measure --bin measure -- target/release --bounds {{ function }}

# Can the functions be built for Lambda here? Builds nothing; says so where they cannot.
arm64:
    python3 infra/tools/deploy.py target

# The functions for Lambda; says so and goes on where the compiler has no target for arm64.
build-arm64:
    python3 infra/tools/deploy.py build

# Deploys the stack: `just deploy`, `just deploy --stack blue NotificationEmail=ops@example.com`, `just deploy --guided`.
deploy *arguments:
    python3 infra/tools/deploy.py deploy {{ arguments }}

# What a deployment needs and does not find.
deploy-check *arguments:
    python3 infra/tools/deploy.py check {{ arguments }}

# Writes the permissions of the template into infra/README.md.
permissions:
    {{ bin }}/python infra/tools/permissions.py
