// Two stages, the first with a thousand reports, in the display that standard error can show; with the
// argument `fail`, the second fails.
import {setTimeout as sleep} from 'node:timers/promises'
import {chooseProgress, runStages} from '../../../src/ui/progress.js'

const [, , behaviour] = process.argv

try {
  await runStages(
    [
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
