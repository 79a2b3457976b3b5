// Asks a question, as a command would, and ends with 0 for yes, else with the error's status.

import {catchInterruption} from '../../../src/cli/command.js'
import {askYesNo} from '../../../src/cli/confirm.js'
import {EnvsError} from '../../../src/errors.js'

const {signal} = catchInterruption()
try {
  await askYesNo('Remove web?', {canAsk: true, signal})
  console.log('agreed')
} catch (error) {
  const reason: unknown = signal.aborted ? signal.reason : error
  if (!(reason instanceof EnvsError)) throw reason
  console.log(reason.code)
  process.exitCode = reason.exitCode
}
