/** Pages are cut by key, so rows added meanwhile never shift them. */
export interface PageRequest {
  /** How many rows at most. */
  first: number;
  /** Id of the last row of the page before, or null. */
  after: string | null;
}

export interface Page<T> {
  items: T[];
  hasMore: boolean;
}
