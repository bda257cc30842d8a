package decode

// What tests take of the admission of large bodies.
var Admission = admission

const (
	SmallBody   = smallBody
	LargeBodies = largeBodies
)
