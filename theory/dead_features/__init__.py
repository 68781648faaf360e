"""Which features die when biases start at random: a reduced model of training, nothing fitted.

Start with ``prediction`` (who dies) and ``loss`` (what that costs). ``recipe`` says how a model is
trained, ``classes`` puts features of like frequency and bias together, ``kernels`` takes averages
over samples, ``background`` has the law of the hidden state on which they are taken, and
``dynamics`` steps three numbers a class to the end.
"""
