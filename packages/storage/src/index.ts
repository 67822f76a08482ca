// The door of @zebu/storage: export from here what other packages may import.
export {};
