import {appendFileSync} from 'node:fs'

/**
 * Writes each skipped test as a line `file<TAB>test<TAB>reason` to ENVS_TEST_SKIPS, for scripts/test.mjs to
 * judge, and under CI=true says at once that it counts as a failure.
 */
export default async function* reportSkips(events) {
  for await (const {type, data} of events) {
    const isOver = type === 'test:pass' || type === 'test:fail'
    if (!isOver || data.skip === undefined) continue
    const reason = typeof data.skip === 'string' ? data.skip : 'no reason given'
    appendFileSync(process.env.ENVS_TEST_SKIPS, `${data.file ?? ''}\t${data.name}\t${reason}\n`)
    if (process.env.CI === 'true') yield `Skipped, which fails the run in CI: ${data.name} (${reason})\n`
  }
}
