mod comparing;
mod planning;
mod reporting;
