/** How many files one upload may have: each costs some requests to the store. Many small ones belong into a tar. */
export const MAX_UPLOAD_FILES = 1000;
