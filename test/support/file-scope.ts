import {after} from 'node:test'
import type {Scope} from './cli.js'

/** Ends when all tests of the file have. Call it outside a test. */
export function fileScope(): Scope {
  const tidyUps: (() => Promise<void>)[] = []
  after(async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  })
  return {after: (tidyUp) => void tidyUps.push(tidyUp)}
}
