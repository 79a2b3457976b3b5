import type {Check, CheckId} from './check.js'

/** What is to be sent to whoever administers the host. */
export type Ticket = {
  readonly requests: readonly {
    readonly check: CheckId
    /** What was seen. */
    readonly evidence: string
    /** What it would be for. */
    readonly purpose: string
    readonly steps: readonly string[]
    readonly opens: string
  }[]
}

/** Of all that was found, what an administrator can mend; undefined where that is nothing. */
export function ticketOf(checks: readonly Check[]): Ticket | undefined {
  const requests = checks.flatMap(({id, evidence, cost, request}) =>
    request === null ? [] : [{check: id, evidence, purpose: cost ?? '', ...request}],
  )
  return requests.length === 0 ? undefined : {requests}
}
