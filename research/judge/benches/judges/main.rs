//! Compares the judge with four that others use, on the same traces: `cargo bench -p crossfade-judge-research --bench
//! judges`.
//!
//! Options: `--seed N` (drawn and printed if left out), `--services N` random services, `--runs N` migrations of each
//! random service and of each named scenario. Prints Markdown tables.

mod judges;
mod kayenta;
mod latency;
mod scenarios;
mod score;
mod service;
mod traces;

use judges::Judge;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use score::Score;
use service::{Fault, Service, Trouble};
use std::error::Error;
use std::io::{self, Write};

struct Options {
    seed: u64,
    services: u64,
    runs: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self { seed: rand::random::<u32>().into(), services: 200, runs: 100 };
        while let Some(argument) = arguments.next() {
            let field = match argument.as_str() {
                // Cargo passes it to every benchmark.
                "--bench" => continue,
                "--seed" => &mut options.seed,
                "--services" => &mut options.services,
                "--runs" => &mut options.runs,
                other => return Err(format!("unknown option {other}").into()),
            };
            let value = arguments.next().ok_or_else(|| format!("{argument} has no number"))?;
            *field = value.parse().map_err(|error| format!("{argument} {value}: {error}"))?;
        }
        Ok(options)
    }
}

/// Hands out a generator of its own to each migration, so that one more scenario changes none of the others.
struct Draws {
    seed: u64,
    next: u64,
}

impl Draws {
    fn next(&mut self) -> ChaCha8Rng {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(self.next);
        self.next += 1;
        generator
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut out = io::stdout().lock();
    writeln!(out, "seed {}, {} random services, {} runs each\n", options.seed, options.services, options.runs)?;
    let mut draws = Draws { seed: options.seed, next: 0 };
    if options.services > 0 {
        random_services(&options, &mut draws, &mut out)?;
    }
    founding_case(&options, &mut draws, &mut out)?;
    healthy_scenarios(&options, &mut draws, &mut out)?;
    faulty_scenarios(&options, &mut draws, &mut out)?;
    Ok(())
}

/// Runs a service's migrations past every judge; the same traces for all of them.
fn migrate(service: &Service, fault: Option<Fault>, runs: u64, draws: &mut Draws) -> [Score; Judge::ALL.len()] {
    let mut scores: [Score; Judge::ALL.len()] = Default::default();
    for _ in 0..runs {
        let trace = traces::draw(service, fault, &mut draws.next());
        for (score, judge) in scores.iter_mut().zip(Judge::ALL) {
            score.count(&trace, judge.decides(&trace));
        }
    }
    scores
}

fn random_services(options: &Options, draws: &mut Draws, out: &mut impl Write) -> io::Result<()> {
    let mut healthy: [Vec<Score>; Judge::ALL.len()] = Default::default();
    let mut faulty: [Vec<Score>; Judge::ALL.len()] = Default::default();
    let mut services = Vec::new();
    for _ in 0..options.services {
        let mut generator = draws.next();
        let service = scenarios::random_service(&mut generator);
        let fault = scenarios::random_fault(&service, &mut generator);
        for (judge, score) in migrate(&service, None, options.runs, draws).into_iter().enumerate() {
            healthy[judge].push(score);
        }
        for (judge, score) in migrate(&service, Some(fault), options.runs, draws).into_iter().enumerate() {
            faulty[judge].push(score);
        }
        services.push(service);
    }
    writeln!(out, "### Random services: healthy, and the same with a fault\n")?;
    writeln!(
        out,
        "| judge | false rollbacks, mean | services above 1 % | worst service | detected | median minutes | \
         requests harmed, mean | of the harm without a judge |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
    for (index, judge) in Judge::ALL.into_iter().enumerate() {
        let rates: Vec<f64> = healthy[index].iter().map(Score::rolled_back_percent).collect();
        let all = Score::merged(&faulty[index]);
        writeln!(
            out,
            "| {} | {:.2} % | {} of {} | {:.0} % | {:.0} % | {} | {:.0} | {:.1} % |",
            judge.name(),
            score::mean(&rates),
            rates.iter().filter(|&&rate| rate > 1.0).count(),
            rates.len(),
            rates.iter().copied().fold(0.0, f64::max),
            all.detected_percent(),
            all.median_minutes(),
            all.mean_harmed(),
            all.mean_harm_percent(),
        )?;
    }
    writeln!(out)?;
    let ours = Judge::ALL.iter().position(|judge| matches!(judge, Judge::Crossfade)).expect("it is one of them");
    sources(&services, &healthy[ours], out)
}

/// Where this project's false rollbacks come from: by what happens to a service, and by how far its clusters wander
/// apart.
fn sources(services: &[Service], scores: &[Score], out: &mut impl Write) -> io::Result<()> {
    const BANDS: [(f64, &str); 3] = [(0.1, "below 0.1"), (0.2, "0.1 to 0.2"), (0.3, "0.2 to 0.3")];
    writeln!(out, "### Crossfade's false rollbacks by their source: mean % (worst service %, services)\n")?;
    let bands: Vec<String> = BANDS.iter().map(|(_, name)| format!("own noise {name}")).collect();
    writeln!(out, "| service | {} |\n|---|{}", bands.join(" | "), "---:|".repeat(BANDS.len()))?;
    for trouble in Trouble::NAMES {
        let mut cells = Vec::new();
        let mut least = 0.0;
        for (most, _) in BANDS {
            let band = least..most;
            let of = services.iter().zip(scores);
            let rates: Vec<f64> = of
                .filter(|(service, _)| service.trouble.name() == trouble && band.contains(&service.noise.own))
                .map(|(_, score)| score.rolled_back_percent())
                .collect();
            let worst = rates.iter().copied().fold(0.0, f64::max);
            cells.push(format!("{:.2} ({worst:.1}, {})", score::mean(&rates), rates.len()));
            least = most;
        }
        writeln!(out, "| {trouble} | {} |", cells.join(" | "))?;
    }
    writeln!(out)
}

/// False rollbacks of healthy services of the founding case, in the worst of their settings: of the others at any
/// volume, and of Crossfade by requests a minute.
fn founding_case(options: &Options, draws: &mut Draws, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "### The founding case, healthy: false rollbacks, % of migrations in the worst of its settings\n")?;
    let (ours, others) = Judge::ALL.split_last().expect("there are five");
    let others: Vec<&str> = others.iter().map(|judge| judge.name()).collect();
    let volumes: Vec<String> =
        scenarios::VOLUMES.iter().map(|requests| format!("{}, {requests} a minute", ours.name())).collect();
    writeln!(out, "| scenario | {} | {} |", others.join(" | "), volumes.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(others.len() + volumes.len()))?;
    for (name, founding) in scenarios::founding() {
        let mut worst = [0.0_f64; Judge::ALL.len()];
        let mut worst_of_ours = Vec::new();
        for requests in scenarios::VOLUMES {
            let mut at_volume = 0.0_f64;
            for service in scenarios::settings(requests) {
                let scores = migrate(&founding(service), None, options.runs, draws);
                for (worst, score) in worst.iter_mut().zip(&scores) {
                    *worst = worst.max(score.rolled_back_percent());
                }
                at_volume = at_volume.max(scores[others.len()].rolled_back_percent());
            }
            worst_of_ours.push(at_volume);
        }
        let cells = worst[..others.len()].iter().chain(&worst_of_ours);
        let cells: Vec<String> = cells.map(|percent| format!("{percent:.1}")).collect();
        writeln!(out, "| {name} | {} |", cells.join(" | "))?;
    }
    writeln!(out)
}

fn heading(title: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "### {title}\n")?;
    let names: Vec<&str> = Judge::ALL.into_iter().map(Judge::name).collect();
    writeln!(out, "| scenario | {} |", names.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(names.len()))
}

fn healthy_scenarios(options: &Options, draws: &mut Draws, out: &mut impl Write) -> io::Result<()> {
    heading("Healthy services: false rollbacks, % of migrations", out)?;
    for (name, service) in scenarios::healthy() {
        let scores = migrate(&service, None, options.runs, draws);
        let cells: Vec<String> = scores.iter().map(|score| format!("{:.1}", score.rolled_back_percent())).collect();
        writeln!(out, "| {name} | {} |", cells.join(" | "))?;
    }
    writeln!(out)
}

fn faulty_scenarios(options: &Options, draws: &mut Draws, out: &mut impl Write) -> io::Result<()> {
    heading("Faults: detected % / median minutes / mean requests harmed (in brackets: if never stopped)", out)?;
    for (name, service, fault) in scenarios::faulty() {
        let scores = migrate(&service, Some(fault), options.runs, draws);
        let cells: Vec<String> = scores
            .iter()
            .map(|score| {
                format!("{:.0} / {} / {:.0}", score.detected_percent(), score.median_minutes(), score.mean_harmed())
            })
            .collect();
        writeln!(out, "| {name} ({:.0}) | {} |", scores[0].mean_unstopped(), cells.join(" | "))?;
    }
    writeln!(out)
}
