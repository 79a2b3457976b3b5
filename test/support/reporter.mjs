import {appendFileSync} from 'node:fs'
import {relative} from 'node:path'
import {Readable} from 'node:stream'
import {spec} from 'node:test/reporters'
import {coverageLines} from '../../scripts/test-coverage.mjs'

/**
 * The runner's own report, whose closing lines stay the last. What was covered comes before them, where ENVS_TEST_COVERAGE
 * is the folder of what V8 has counted, and the files that took longest, where there are many.
 *
 * Each skipped test is written as a line `file<TAB>test<TAB>reason` to ENVS_TEST_SKIPS, for scripts/test.mjs to judge, and
 * under CI=true it is said at once that it counts as a failure.
 */
export default async function* report(events) {
  yield* Readable.from(withNotes(events)).compose(new spec())
}

async function* withNotes(events) {
  const seconds = new Map()
  for await (const event of events) {
    if (isFirstOfSummary(event))
      for (const line of [...(await coverageOf()), ...slowestOf(seconds)]) yield note(line)
    yield event
    addDuration(seconds, event)
    if (event.data.skip !== undefined && /^test:(pass|fail)$/.test(event.type)) yield* skipped(event.data)
  }
}

function isFirstOfSummary({type, data}) {
  return type === 'test:diagnostic' && data.nesting === 0 && /^tests \d+$/.test(data.message)
}

function addDuration(seconds, {type, data}) {
  if (!/^test:(pass|fail)$/.test(type) || data.nesting > 0 || data.file === undefined) return
  seconds.set(data.file, (seconds.get(data.file) ?? 0) + data.details.duration_ms / 1000)
}

const [SHOWN, MANY] = [12, 40]

/** The time of a file is that of its tests: they run one after the other. */
function slowestOf(seconds) {
  if (seconds.size < MANY) return []
  const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, SHOWN)
  return [
    'slowest files, in seconds',
    ...slowest.map(
      ([file, sum]) => `  ${relative(process.cwd(), file).padEnd(48)} ${sum.toFixed(0).padStart(5)}`,
    ),
  ]
}

async function coverageOf() {
  const folder = process.env.ENVS_TEST_COVERAGE
  return folder === undefined ? [] : coverageLines(folder)
}

function* skipped({file, name, nesting, skip}) {
  const reason = typeof skip === 'string' ? skip : 'no reason given'
  appendFileSync(process.env.ENVS_TEST_SKIPS, `${file ?? ''}\t${name}\t${reason}\n`)
  if (process.env.CI === 'true')
    yield note(`Skipped, which fails the run in CI: ${name} (${reason})`, nesting)
}

function note(message, nesting = 0) {
  return {type: 'test:diagnostic', data: {nesting, message}}
}
