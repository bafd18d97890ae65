# What people and CI run. `.ci/run --tools` installs `just` and the other tools into .tools, from pinned lists.

tools := justfile_directory() / ".tools"
bin := tools / "venv/bin"

# The linters refuse to start without a region. Nothing is sent there.
export AWS_DEFAULT_REGION := env("AWS_DEFAULT_REGION", "eu-west-1")
export SAM_CLI_TELEMETRY := "0"
export PYTHONDONTWRITEBYTECODE := "1"

# Lists the recipes.
default:
    @just --list --unsorted

# Runs everything that CI checks, in its order.
check: format spelling machines template stack ci dependencies arm64 clippy rustdoc test manifests stack-run measure-one

# Checks that every Rust file is formatted.
format:
    cargo fmt --all --check

# Looks for misspelled words, in code and prose.
spelling:
    {{ bin }}/typos

# Validates the state machines with an independent tool, and checks that their pictures are up to date.
machines:
    {{ tools }}/node/node_modules/.bin/asl-validator \
        --json-path statemachine/connect-service.asl.json \
        --json-path statemachine/migrate-fleet.asl.json \
        --json-path statemachine/migrate-service.asl.json \
        --json-path statemachine/retire-service.asl.json \
        --json-path statemachine/roll-back-service.asl.json
    python3 infra/tools/template.py pictures --check

# Checks the template offline: first as SAM sees it, then expanded, as CloudFormation sees it; and what deploys it.
template: expand
    {{ tools }}/sam/bin/sam validate --template infra/template.yaml
    {{ tools }}/sam/bin/sam validate --lint --template infra/template.yaml
    {{ bin }}/python -c 'import sys, cfnlint.runner; sys.setrecursionlimit(20_000); cfnlint.runner.main()' \
        --template {{ tools }}/expanded.json
    {{ bin }}/python infra/tools/template.py permissions --check
    {{ bin }}/python -m unittest discover infra/tools

# Expands the template to plain CloudFormation, offline.
expand:
    {{ bin }}/python infra/tools/template.py expand > {{ tools }}/expanded.json

# Deploys the template with CloudFormation into ministack, an independent simulation of AWS.
stack: expand
    PYTHONPATH=tests/tools:infra/tools {{ tools }}/ministack/bin/python -m unittest test_stack.Template

# The same from dist/, without Rust; then the packaged command moves a service there.
stack-run: (package "--profile" "dev")
    {{ bin }}/python infra/tools/template.py expand dist/template.yaml > {{ tools }}/packaged.json
    PYTHONPATH=tests/tools:infra/tools {{ tools }}/ministack/bin/python -m unittest test_stack.Migration

# Checks the integrations with GitHub and GitLab, their examples, the scripts and the workflow of a release.
ci:
    {{ bin }}/python -m unittest discover ci

# Checks the licences and sources of all dependencies (deny.toml), and that each of them is used. The package of the
# tests depends on more than it uses, as its manifest explains.
dependencies:
    {{ bin }}/cargo-deny --locked check --hide-inclusion-graph licenses sources
    {{ bin }}/cargo-shear --locked --exclude crossfade-tests

# Runs clippy. Every lint is an error.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Checks that every link in a doc comment leads somewhere.
rustdoc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Runs all tests.
test:
    cargo test --workspace --locked

# Holds what `crossfade manifests` writes against the schemas of Kubernetes and of the controller.
manifests:
    cargo run --quiet --locked -- manifests --all --policy tests/fixtures/manifests.yaml --offline \
        --dir {{ tools }}/manifests --force
    {{ bin }}/python tests/tools/check_manifests.py {{ tools }}/manifests

# Stores what the command prints now as its transcripts and help pages. Check the difference before you commit it.
transcripts:
    INSTA_UPDATE=always cargo test --workspace --locked --test all -- command_line policy_page scenario_page

# Runs whole migrations with faults at random calls for a given time: `just soak 10m` (s, m or h).
soak for:
    CROSSFADE_SOAK_SECONDS=$(( $(echo {{ for }} | sed 's/h$/*3600/; s/m$/*60/; s/s$//') )) \
        cargo test --package crossfade-tests --locked simulation::invariants::soak -- --exact --nocapture

# Feeds changed and arbitrary input to every door for a given time: `just fuzz 10m` (s, m or h).
fuzz for:
    CROSSFADE_FUZZ_SECONDS=$(( $(echo {{ for }} | sed 's/h$/*3600/; s/m$/*60/; s/s$//') )) \
        cargo test --package crossfade-tests --locked fuzz::for_longer -- --exact --nocapture

# Redraws the pictures in statemachine/README.md.
pictures:
    python3 infra/tools/template.py pictures

# Migrates eleven services under live load, on this machine.
rehearse *arguments:
    cargo run -- rehearse {{ arguments }}

# Plays the founding story: fifty services, from the first survey to the last internal route. It takes some minutes.
story *arguments:
    cargo run -- rehearse story {{ arguments }}

# Measures time, size and memory of every function next to one that does nothing, for docs/internals/performance.md.
measure *arguments:
    cargo build --release --locked --workspace --bins --exclude crossfade-cli
    cargo run --quiet --locked --package crossfade-measure --bin measure -- target/release {{ arguments }}

# The same for one function, whose bounds it checks: what CI has time for.
measure-one function="check-alarms":
    cargo build --release --locked --package {{ function }} --package crossfade-measure --bin {{ function }} --bin hello-world
    cargo run --quiet --locked --package crossfade-measure --bin measure -- target/release --bounds {{ function }}

# Prints how long a rollback takes in virtual time, next to its calls alone, for docs/internals/performance.md.
way-back:
    cargo test --package crossfade-tests --locked --test all -- --exact --nocapture \
        stories::way_back::the_way_back_takes_at_most_1_3_times_its_calls

# Prints what a large fleet takes in virtual time, next to the least that it could, for docs/internals/performance.md.
fleets:
    cargo test --package crossfade-tests --locked --test all -- --include-ignored --nocapture fleets::figures

# Reports whether the functions can be built for Lambda here. Builds nothing.
arm64:
    python3 infra/tools/deploy.py target

# Builds the functions for Lambda. If the compiler has no target for arm64, it says so and skips the build.
build-arm64:
    python3 infra/tools/deploy.py build

# Makes dist/: the command, the functions, the template, their licences and SBOM. `--profile dev` is quick and unoptimised.
package *arguments:
    python3 infra/tools/package.py {{ arguments }}

# Deploys the stack: `just deploy`, `just deploy --from dist`, `just deploy --stack blue NotificationEmail=ops@example.com`, `just deploy --guided`.
deploy *arguments:
    python3 infra/tools/deploy.py deploy {{ arguments }}

# Reports what a deployment needs and does not find.
deploy-check *arguments:
    python3 infra/tools/deploy.py check {{ arguments }}

# Writes the template's permissions into infra/README.md.
permissions:
    {{ bin }}/python infra/tools/template.py permissions
