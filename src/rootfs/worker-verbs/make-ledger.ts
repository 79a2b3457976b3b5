import {openHost} from '../../host/host.js'
import {explainErrno} from '../errors.js'
import {readLedger, writeLedger} from '../ledger/file.js'
import type {LedgerCounts} from '../ledger/ledger.js'
import {recordOwners} from '../ledger/record-owners.js'
import {type RestoreReport, restoreOwners} from '../ledger/restore.js'
import {openCapabilitySetter} from '../tree/file-capability.js'
import {openOwners} from '../tree/owners.js'
import type {LedgerRequest} from '../worker-request.js'

/** Writes the ledger of a copy that has one owner; `root` is the tree it was copied from. */
export function ledgerOfOwners({root, from, to}: LedgerRequest): LedgerCounts {
  return explaining(root, () => {
    const ledger = recordOwners(root, readLedger(from))
    writeLedger(to, ledger)
    return ledger.counts()
  })
}

/** Gives the copy `root` the owners that the former ledger names, and writes the ledger of what it lacks then. */
export function ledgerOfRestored({root, from, to}: LedgerRequest): RestoreReport {
  return explaining(root, () => {
    const setCapability = openCapabilitySetter('keep', openHost())
    const {report, ledger} = restoreOwners(root, readLedger(from), {
      owners: openOwners('keep'),
      setCapability,
    })
    writeLedger(to, ledger)
    return report
  })
}

function explaining<Result>(root: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw explainErrno(error, root)
  }
}
