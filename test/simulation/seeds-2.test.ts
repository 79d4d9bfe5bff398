import { exploreAll } from './explore-all.js';

exploreAll(1_001);
