/** Tries packages in fresh environments; `npm run matrix -- --help`. Writes docs/compatibility.md. */
import {readFile, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {catchInterruption} from '../src/cli/command.js'
import {InterruptedError} from '../src/cli/errors.js'
import {ExitCode} from '../src/errors.js'
import {openHost} from '../src/host/host.js'
import {probeMapped} from '../src/host/id-mapping.js'
import {packageRoot} from '../src/host/paths.js'
import type {Identity} from '../src/sandbox/identity.js'
import {debianRootfs} from '../test/support/debian-rootfs.js'
import {readOptions} from './command-line.js'
import {readFacts} from './facts.js'
import {type Options, parseOptions, USAGE} from './options.js'
import type {Package} from './packages.js'
import {renderDocument, renderOutcomes, servicesOf} from './report.js'
import {runServicesMatrix} from './services/main.js'
import {openStore} from './store.js'
import {type Outcome, tryPackage} from './trial.js'

const [, , subject, ...rest] = process.argv
if (subject === 'services') await runServicesMatrix(rest, identitiesHere)
else if (process.argv.includes('--help')) process.stdout.write(USAGE)
else {
  const options = readOptions(process.argv.slice(2), {parse: parseOptions, usage: USAGE})
  if (options !== undefined) await main(options)
}

async function main(options: Options): Promise<void> {
  const identities = options.identity === undefined ? await identitiesHere() : [options.identity]
  if (options.writesDocument && identities.length === 1) {
    process.stderr.write('--write writes the whole table, which needs both identities.\n')
    process.exitCode = ExitCode.host
    return
  }
  const rootfs = options.rootfs === undefined ? await debianRootfs() : resolve(options.rootfs)
  const trials = options.packages.flatMap((name) => identities.map((identity) => ({name, identity})))
  const store = await openStore()
  const {signal, release} = catchInterruption()
  try {
    const facts = await readFacts(rootfs, {store, signal})
    const run = ({name, identity}: Trial) => tryPackage(name, {store, rootfs, identity, signal})
    const outcomes = await inParallel(trials, {jobs: options.jobs, run})
    process.stdout.write(`${renderOutcomes(outcomes)}\n`)
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify({facts, outcomes}, null, 2)}\n`)
    }
    if (options.writesDocument) {
      const page = join(packageRoot(), 'docs', 'compatibility.md')
      const services = servicesOf(await readFile(page, 'utf8'))
      await writeFile(page, renderDocument(facts, {outcomes, services}))
    }
    if (outcomes.some(({failure}) => failure !== undefined)) process.exitCode = 1
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
    process.stderr.write('Interrupted: removing the environments.\n')
    process.exitCode = error.exitCode
  } finally {
    await store.close()
    release()
  }
}

async function identitiesHere(): Promise<Identity[]> {
  const probe = await probeMapped(openHost())
  if (probe.works) return ['mapped', 'emulated']
  process.stderr.write(`mapped is left out: ids can not be mapped here (${probe.reason}).\n`)
  return ['emulated']
}

type Trial = {readonly name: Package; readonly identity: Identity}

/** Runs a limited number at a time, started in order. @returns The outcomes in the same order. */
async function inParallel(
  trials: readonly Trial[],
  {jobs, run}: {jobs: number; run: (trial: Trial) => Promise<Outcome>},
): Promise<Outcome[]> {
  const outcomes = new Map<Trial, Outcome>()
  const waiting = [...trials]
  const work = async () => {
    for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
      const outcome = await run(trial)
      outcomes.set(trial, outcome)
      process.stderr.write(`[${outcomes.size}/${trials.length}] ${progressLine(outcome)}\n`)
    }
  }
  const ends = await Promise.allSettled(Array.from({length: jobs}, work))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return trials.flatMap((trial) => outcomes.get(trial) ?? [])
}

function progressLine({failure, installMs, identity, ...outcome}: Outcome): string {
  const result = failure === undefined ? `ok, ${(installMs / 1000).toFixed(0)} s` : `FAILED: ${failure.step}`
  return `${outcome.package}, ${identity}: ${result}`
}
