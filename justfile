# What people and CI run. `just` and the other tools are installed by `.ci/run --tools` into .tools, from pinned lists.

tools := justfile_directory() / ".tools"
bin := tools / "venv/bin"

# Without a region the linter refuses to start; nothing is sent there.
export AWS_DEFAULT_REGION := env("AWS_DEFAULT_REGION", "eu-west-1")

# Lists the recipes.
default:
    @just --list --unsorted

# Everything that CI checks, in its order.
check: format spelling machines template ci clippy test

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

# The template, expanded first: cfn-lint sees a SAM template only from outside.
template:
    {{ bin }}/python infra/tools/expand.py infra/template.yaml > {{ tools }}/expanded.json
    {{ bin }}/cfn-lint --template {{ tools }}/expanded.json

# The integrations with GitHub and GitLab, with their examples.
ci:
    {{ bin }}/python ci/tools/lint.py

# Every lint is an error.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

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

# Three services under live load, on this machine.
rehearse *arguments:
    cargo run -- rehearse {{ arguments }}
