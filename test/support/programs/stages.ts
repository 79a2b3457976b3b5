// Two stages, the first with a thousand reports, in the display that standard error can show; with the
// argument `fail`, the second fails; with `group`, two more go on beside each other, and a group has none.
import {setTimeout as sleep} from 'node:timers/promises'
import {chooseProgress, runStages} from '../../../src/cli/progress.js'

const [, , behaviour] = process.argv

/** Two stages, each of which ends only when the other has begun. */
function pair() {
  const begun: (() => void)[] = []
  const meet = async (report: (line: string) => void) => {
    report('waits')
    if (begun.length > 0 || !process.stderr.isTTY) for (const resolve of begun) resolve()
    else await new Promise<void>((resolve) => begun.push(resolve))
  }
  const stages = ['Fetch', 'Unpack'].map((title) => ({title, run: meet}))
  return {title: 'Make it', concurrent: 2, stages: () => stages}
}

try {
  await runStages(
    [
      ...(behaviour === 'group' ? [pair(), {title: 'Not needed', concurrent: 1, stages: () => []}] : []),
      {
        title: 'Download the image',
        async run(report) {
          for (let part = 0; part < 1000; part++) report(`part ${part}`)
          await sleep(150)
          report('last part')
          await sleep(150)
        },
      },
      {
        title: 'Extract it',
        async run() {
          if (behaviour === 'fail') throw new RangeError('broken archive')
        },
      },
    ],
    chooseProgress({silent: behaviour === 'silent', environment: process.env}),
  )
  console.log('result')
} catch (error) {
  console.log(`threw ${String(error)}`)
}
