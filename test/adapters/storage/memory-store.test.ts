import { describeStoreContract } from '../../support/store-contract.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

// The fake of the other tests keeps the contract, but for the keys, which it trusts.
describeStoreContract('memory', createMemoryStore);
