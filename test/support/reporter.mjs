import {appendFileSync, readFileSync} from 'node:fs'
import {Readable} from 'node:stream'
import {spec} from 'node:test/reporters'
import {coverageLines} from '../../scripts/test-coverage.mjs'

/**
 * The runner's own report, whose closing lines stay the last. What was covered comes before them, where ENVS_TEST_COVERAGE
 * is the folder of what V8 has counted, and the files that took longest, where there are many: each has written its times to
 * ENVS_TEST_TIMES (test/support/programs/file-times.mjs).
 *
 * Each skipped test is written as a line `file<TAB>test<TAB>reason` to ENVS_TEST_SKIPS, for scripts/test.mjs to judge, and
 * under CI=true it is said at once that it counts as a failure.
 */
export default async function* report(events) {
  yield* Readable.from(withNotes(events)).compose(new spec())
}

async function* withNotes(events) {
  for await (const event of events) {
    if (isFirstOfSummary(event))
      for (const line of [...(await coverageOf()), ...slowestFiles()]) yield note(line)
    yield event
    if (event.data.skip !== undefined && /^test:(pass|fail)$/.test(event.type)) yield* skipped(event.data)
  }
}

function isFirstOfSummary({type, data}) {
  return type === 'test:diagnostic' && data.nesting === 0 && /^tests \d+$/.test(data.message)
}

const [SHOWN, MANY] = [20, 40]

/** Those that took most of the processors' time first: on a busy machine, and beside others, the clock tells little. */
function slowestFiles() {
  const lines = readFileSync(process.env.ENVS_TEST_TIMES, 'utf8').split('\n').filter(Boolean)
  if (lines.length < MANY) return []
  const files = lines.map((line) => {
    const [file, seconds, processors] = line.split('\t')
    return {file, seconds: Number(seconds), processors: Number(processors)}
  })
  const row = ({file, seconds, processors}) =>
    `  ${file.padEnd(56)} ${processors.toFixed(0).padStart(9)} ${seconds.toFixed(0).padStart(8)}`
  const sum = (key) => files.reduce((all, each) => all + each[key], 0)
  return [
    `${'slowest files, in seconds of'.padEnd(58)} ${'processor'.padStart(9)} ${'the clock'.padStart(8)}`,
    ...files
      .sort((one, other) => other.processors - one.processors)
      .slice(0, SHOWN)
      .map(row),
    row({file: `all ${files.length}`, seconds: sum('seconds'), processors: sum('processors')}),
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
