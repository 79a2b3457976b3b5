import type {Check, CheckId} from './check.js'

/** A text for the administrator of the host. */
export type Ticket = {
  readonly requests: readonly {
    readonly check: CheckId
    /** The findings. */
    readonly evidence: string
    /** The reason for the request. */
    readonly purpose: string
    readonly steps: readonly string[]
    readonly opens: string
  }[]
}

/** Returns the findings that an administrator can solve; undefined if there are none. */
export function ticketOf(checks: readonly Check[]): Ticket | undefined {
  const requests = checks.flatMap(({id, evidence, cost, request}) =>
    request === null ? [] : [{check: id, evidence, purpose: cost ?? '', ...request}],
  )
  return requests.length === 0 ? undefined : {requests}
}
