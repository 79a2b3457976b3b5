/**
 * Preloaded into each process of tests: at its end, appends `file<TAB>seconds<TAB>seconds of the processors` to ENVS_TEST_TIMES.
 *
 * The runner names the place where test() was called, which is a helper for tests that are made there. The processors' time is that of
 * the process and of what it has waited for; what stays behind detached, such as the first process of an environment, is not in it.
 */
import {appendFileSync, readFileSync} from 'node:fs'

const {ENVS_TEST_TIMES: times} = process.env
const [, file] = /\/bundle\/(.+)\.mjs$/.exec(process.argv[1] ?? '') ?? []

if (times !== undefined && file !== undefined)
  process.once('exit', () => {
    const seconds = [process.uptime(), processorSeconds()].map((each) => each.toFixed(1))
    appendFileSync(times, `${[`${file}.ts`, ...seconds].join('\t')}\n`)
  })

/** User and system time, own and of waited-for children, in ticks of a hundredth. @see proc_pid_stat(5) */
function processorSeconds() {
  const text = readFileSync('/proc/self/stat', 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
}
